// Package notebook runs JupyterLab with AWS Glue's kernel on a server of this
// machine. What Jupyter, the kernel and the AWS SDK would keep in the user's
// home is in a private folder, which ends with the notebook.
package notebook

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/internal/client"
	"github.com/remora-project/remora/internal/server"
)

// Options say what to run; Args alone may be empty.
type Options struct {
	Environment remora.Runtime // runtimes.Notebook
	// Serve is the command line of `remora serve`, for a data directory on which
	// no server is running. Running tells whether one is.
	Serve       []string
	Running     func() (server.Ready, bool)
	Credentials func() (id, secret string, err error)
	Dir         string   // whose files JupyterLab shows
	Browser     bool     // whether to open one
	Args        []string // more of jupyter lab's own
	Say         func(line string)
}

// grace is how long Jupyter may take to shut its kernels down, and a server or
// a check to end.
const grace = 30 * time.Second

// Run runs JupyterLab until it ends or ctx does. When it returns, the sessions
// of its kernels have ended, and so has the server if it was started here.
func Run(ctx context.Context, o Options) error {
	return o.with(ctx, func(p *place) error {
		token := random()
		args := append([]string{"-m", "jupyterlab"}, o.Args...)
		lab, err := start(p.python(args, map[string]string{"JUPYTER_TOKEN": token}), o.Dir, os.Stderr)
		if err != nil {
			return fmt.Errorf("start JupyterLab: %w", err)
		}
		defer lab.end()
		address, err := p.address(ctx, lab)
		if err != nil {
			return err
		}
		o.Say(fmt.Sprintf("JupyterLab with the kernel %q: %s?token=%s", displayName, address, token))
		o.Say("Ctrl-C ends it, and the sessions of its kernels")
		select {
		case <-lab.ended:
			if lab.err != nil {
				return fmt.Errorf("JupyterLab has ended: %w", lab.err)
			}
		case <-ctx.Done():
		}
		return nil
	})
}

// ErrCheck says that the check has printed what does not work.
var ErrCheck = errors.New("the kernel does not work")

// Check runs a few cells with the kernel that JupyterLab would have, and prints
// what works and how long it took.
func Check(ctx context.Context, o Options) error {
	return o.with(ctx, func(p *place) error {
		check, err := start(p.python([]string{p.path("check.py"), kernelName}, nil), o.Dir, os.Stdout)
		if err != nil {
			return fmt.Errorf("start the check: %w", err)
		}
		defer check.end()
		select {
		case <-check.ended:
			if check.err != nil {
				return ErrCheck
			}
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// with calls use with a private folder and a running server, and ends what has
// been begun, in the opposite order.
func (o Options) with(ctx context.Context, use func(*place) error) (err error) {
	release, err := hold(o.Environment.Locks)
	if err != nil {
		return err
	}
	defer release()
	p, err := makePlace(o.Environment)
	if err != nil {
		return err
	}
	defer p.Remove()
	ready, ok := o.Running()
	if !ok {
		o.Say("starting a server, which ends with the notebook")
		srv, err := o.serve(ctx, p)
		if err != nil {
			return err
		}
		defer srv.end()
		if ready, ok = o.Running(); !ok {
			return errors.New("the server that was started is not running any more")
		}
	}
	id, secret, err := o.Credentials()
	if err != nil {
		return err
	}
	c := client.Client{Endpoint: ready.Endpoint, Region: ready.Region, AccessKeyID: id, SecretAccessKey: secret}
	if err := o.stopAbandoned(ctx, c, p.over); err != nil {
		return fmt.Errorf("stop the sessions of a notebook that was killed: %w", err)
	}
	if err := p.write(c, o.Dir, o.Browser); err != nil {
		return fmt.Errorf("write the notebook's settings: %w", err)
	}
	defer func() {
		// The kernels stop their sessions when they are shut down. One that was
		// killed has not, and a server that ends would leave the clusters behind.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if e := endSessions(ctx, c, p.mark()); e != nil {
			err = errors.Join(err, fmt.Errorf("stop the notebook's sessions: %w", e))
		}
	}()
	return use(p)
}

// serve starts a server and returns when it is ready.
func (o Options) serve(ctx context.Context, p *place) (*process, error) {
	ready := p.path("server.json")
	log, err := os.OpenFile(p.path("server.log"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	argv := append(append([]string{}, o.Serve...), "--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0", "--ready-file", ready)
	srv, err := start(command{argv: argv, env: os.Environ()}, "", log)
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	if err := srv.await(ctx, func() bool { _, err := os.Stat(ready); return err == nil }); err != nil {
		srv.end()
		words, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("start a server: %w\n%s", err, words)
	}
	return srv, nil
}

// address waits until JupyterLab listens. It says where in a file that is named
// after its process, and writes that before it listens.
func (p *place) address(ctx context.Context, lab *process) (string, error) {
	var found struct{ URL string }
	err := lab.await(ctx, func() bool {
		files, _ := filepath.Glob(p.path("runtime/jpserver-*.json"))
		return len(files) == 1 && readJSON(files[0], &found) == nil && listens(ctx, found.URL)
	})
	if err != nil {
		return "", fmt.Errorf("start JupyterLab: %w", err)
	}
	return found.URL + "lab", nil
}

func listens(ctx context.Context, address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func random() string {
	var b [24]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return hex.EncodeToString(b[:])
}
