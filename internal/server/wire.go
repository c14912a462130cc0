package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api"
	"github.com/remora-project/remora/api/awsjson"
	"github.com/remora-project/remora/api/glue"
	"github.com/remora-project/remora/api/logs"
	"github.com/remora-project/remora/api/operator"
	"github.com/remora-project/remora/api/s3"
	"github.com/remora-project/remora/api/sigv4"
	"github.com/remora-project/remora/api/sts"
	"github.com/remora-project/remora/blobs"
	"github.com/remora-project/remora/control"
	"github.com/remora-project/remora/internal/config"
	"github.com/remora-project/remora/internal/keyring"
	"github.com/remora-project/remora/logstore"
	"github.com/remora-project/remora/provider/ray"
	"github.com/remora-project/remora/provider/supervise"
	"github.com/remora-project/remora/runtimes"
	"github.com/remora-project/remora/session"
	"github.com/remora-project/remora/store/sqlite"
)

// Prefixes of log groups; that of job runs is their LogGroupName.
const (
	jobLogs     = "/aws-glue/ray/jobs"
	sessionLogs = session.LogGroup
)

// wire makes every part and puts them together, from the disk outwards. What it
// has opened when it fails is in s, to be closed.
func (s *Server) wire(ctx context.Context, former Ready) (http.Handler, error) {
	o, cfg := s.opts, s.opts.Config
	ring, err := keyring.Open(KeysPath(o.DataDir))
	if err != nil {
		return nil, err
	}
	key, err := tokenKey(o.DataDir)
	if err != nil {
		return nil, err
	}
	if s.store, err = sqlite.Open(dbPath(o.DataDir), sqlite.Options{Now: o.Now}); err != nil {
		return nil, err
	}
	if s.logs, err = logstore.Open(logsPath(o.DataDir), logstore.Options{
		StreamBytes: int64(cfg.Logs.StreamLimit), TotalBytes: int64(cfg.Logs.TotalLimit)}); err != nil {
		return nil, err
	}
	// There from the start, so that a client may follow a run that has yet to say
	// its first word.
	for _, prefix := range []string{jobLogs, sessionLogs} {
		if err := s.logs.CreateGroup(ctx, prefix+"/"+remora.ScriptLog); err != nil && remora.KindOf(err) != remora.AlreadyExists {
			return nil, err
		}
	}
	if s.envs, err = runtimes.Open(cfg.Runtime.CacheDir, runtimes.Options{Python: cfg.Runtime.Python, Logger: o.Log}); err != nil {
		return nil, err
	}
	creds := credentials(cfg.S3, ring)
	objects, err := s.openBlobs(ctx, creds, ring, former)
	if err != nil {
		return nil, err
	}
	provider := o.Provider
	if provider == nil {
		runDir, err := supervise.RunDir(o.DataDir)
		if err != nil {
			return nil, err
		}
		provider = ray.New(ray.Config{Supervisor: SupervisorCommand(o.Program, cfg.Logs), RunDir: runDir, LogStore: logsPath(o.DataDir),
			Overlay: OverlayCommand(o.Program, cfg.Runtime)})
	}
	sizing := HostSizing(cfg.WorkerTypes)
	plane := control.Config{
		Store: s.store, Provider: provider, Runtimes: s.envs, Blobs: objects, Logs: s.logs, Log: o.Log, Now: o.Now,
		Sizing:  sizing,
		WorkDir: workPath(o.DataDir), LogPrefix: jobLogs, Grace: time.Duration(cfg.Runs.Grace),
		Env: func() map[string]string { return s.jobEnv(creds) },
	}
	warm := plane
	warm.Runtimes = s.envs.WithOwn() // for runs and sessions
	if s.warm, err = control.NewWarm(warm, warmPath(o.DataDir), warmSpecs(cfg.Warm)); err != nil {
		return nil, err
	}
	plane.Warm = s.warm
	s.runs = control.NewRuns(plane)
	plane.LogPrefix, plane.Runtimes = sessionLogs, s.envs.WithOwn()
	s.sessions = control.NewSessions(control.SessionsConfig{Config: plane, Store: s.store, Limit: cfg.Sessions.Limit,
		Interpreter: func(rt remora.Runtime) []string { return interpreter(o.Program, rt) }})
	tokens := awsjson.NewTokens(key)
	return &api.Endpoint{
		Verifier: &sigv4.Verifier{Secrets: secrets(cfg.S3, ring), Now: o.Now},
		Services: []*awsjson.Service{
			glue.New(glue.Config{
				Store: s.store, SessionStore: s.store, Runs: s.runs, Sessions: s.sessions, Tokens: tokens, Now: o.Now, Region: cfg.Server.Region, Account: cfg.Server.Account,
				Runtimes: s.envs.Names(), WorkerTypes: sizing.Types, Timeout: time.Duration(cfg.Runs.Timeout), LogGroup: jobLogs,
				SessionDefaults: glue.SessionDefaults{Runtime: cfg.Sessions.Runtime, Workers: cfg.Sessions.Workers, IdleTimeout: time.Duration(cfg.Sessions.IdleTimeout),
					Timeout: time.Duration(cfg.Sessions.Timeout)},
			}),
			logs.New(s.logs, tokens, logs.ARNs{Region: cfg.Server.Region, Account: cfg.Server.Account}),
			operator.New(s.store, jobLogs, s.status),
		},
		STS: sts.Service{Account: cfg.Server.Account},
		Log: o.Log,
	}, nil
}

// interpreter is the command line of a session's interpreter and what keeps it.
func interpreter(program string, rt remora.Runtime) []string {
	return []string{program, "interpreter", "--", rt.Python, "-u", filepath.Join(rt.Own, "remora", "session", "__main__.py")}
}

// openBlobs starts the embedded S3 store, unless there is an outside one, and
// returns a reader of whichever it is.
func (s *Server) openBlobs(ctx context.Context, creds aws.CredentialsProvider, ring *keyring.Keyring, former Ready) (remora.Blobs, error) {
	cfg := s.opts.Config
	endpoint := cfg.S3.Endpoint
	if endpoint == "" {
		c := s3.Config{Dir: s3Path(s.opts.DataDir), Listen: address(s.opts.S3Listen, cfg.Server.S3Listen),
			Region: cfg.Server.Region, Account: cfg.Server.Account, Keys: ring, Logger: s.opts.Log}
		var err error
		if same, ok := samePort(c.Listen, former.S3Endpoint); ok {
			again := c
			again.Listen = same
			s.blobs, err = s3.Open(ctx, again)
		}
		if s.blobs == nil {
			s.blobs, err = s3.Open(ctx, c)
		}
		if bind := (*net.OpError)(nil); errors.As(err, &bind) {
			return nil, fmt.Errorf("listen for S3 on %s: %w (name another address with --s3-listen; port 0 takes a free one)", c.Listen, bind)
		}
		if err != nil {
			return nil, err
		}
		go func() {
			if err, ok := <-s.blobs.Err(); ok && err != nil {
				s.errs <- fmt.Errorf("the S3 endpoint stopped: %w", err)
			}
		}()
		endpoint = reachable(s.blobs.Addr())
	}
	return blobs.New(ctx, blobs.Config{Endpoint: endpoint, Region: cfg.Server.Region, PathStyle: true, Credentials: creds})
}

// credentials are what jobs and the server itself sign with.
func credentials(outside config.S3, ring *keyring.Keyring) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		if outside.Endpoint != "" {
			return aws.Credentials{AccessKeyID: outside.AccessKeyID, SecretAccessKey: outside.SecretAccessKey}, nil
		}
		key := ring.Current()
		secret, ok := ring.Secret(key.ID)
		if !ok {
			return aws.Credentials{}, fmt.Errorf("access key %s is no longer valid", key.ID)
		}
		return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: secret}, nil
	})
}

// secrets are the keys that the API endpoint accepts: the server's own, and
// those of an outside S3, so that a job needs one pair for everything.
func secrets(outside config.S3, ring *keyring.Keyring) func(string) (string, bool) {
	return func(id string) (string, bool) {
		if outside.Endpoint != "" && id == outside.AccessKeyID {
			return outside.SecretAccessKey, true
		}
		return ring.Secret(id)
	}
}

// jobEnv is the environment in which AWS clients inside a job find the service.
func (s *Server) jobEnv(creds aws.CredentialsProvider) map[string]string {
	ready := s.Ready()
	env := s.opts.Config.EndpointVariables()
	maps.Copy(env, map[string]string{
		"AWS_ENDPOINT_URL":    ready.Endpoint,
		"AWS_ENDPOINT_URL_S3": ready.S3Endpoint,
		"AWS_REGION":          ready.Region,
		"AWS_DEFAULT_REGION":  ready.Region,
		// There is no instance role to ask for, and asking costs seconds.
		"AWS_EC2_METADATA_DISABLED": "true",
	})
	if c, err := creds.Retrieve(context.Background()); err == nil {
		maps.Copy(env, map[string]string{"AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey})
	} else {
		s.opts.Log.Error("no credentials for jobs", "err", err)
	}
	return env
}

// status is what `remora status` shows.
func (s *Server) status(ctx context.Context) operator.Status {
	out := operator.Status{Runs: s.runs.Open(), Sessions: s.sessions.Open()}
	for _, w := range s.warm.State(ctx) {
		out.Warm = append(out.Warm, operator.WarmCluster{Runtime: w.Runtime, WorkerType: w.WorkerType, Workers: w.Workers,
			Since: w.Since, Memory: w.Memory})
	}
	return out
}

func warmSpecs(in []config.Warm) []control.WarmSpec {
	var out []control.WarmSpec
	for _, w := range in {
		out = append(out, control.WarmSpec{Runtime: w.Runtime, WorkerType: w.WorkerType, Workers: w.Workers, Count: w.Count})
	}
	return out
}

func workerTypes(in map[string]config.WorkerType) map[string]control.WorkerType {
	out := make(map[string]control.WorkerType, len(in))
	for name, t := range in {
		out[name] = control.WorkerType{CPUs: t.CPUs, MemoryBytes: int64(t.Memory), DPU: t.DPU}
	}
	return out
}
