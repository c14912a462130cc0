// Package control takes job runs through their lives.
//
// Runs holds one goroutine per open run. What a run has come to is in the
// store, and every step is written there before the world changes, so that a
// control plane that is killed at any moment picks up where it was:
//
//	WAITING ──promoted──▶ STARTING ──▶ RUNNING ──▶ SUCCEEDED | FAILED | TIMEOUT
//	   │                     │            │
//	   └─────────────────────┴── stop ────┴──▶ STOPPING ──▶ STOPPED
//
//	step           written first                      then
//	provision      Handle (by the provider's Record)  cluster starts
//	launch         state RUNNING                      driver starts, once by its id
//	settle         Outcome                            cluster is taken down
//	end            end state and, if due, the retry   next waiting run is promoted
//
// A run that is STARTING has therefore never run its script, and can be
// provisioned again when its cluster is gone; one that is RUNNING cannot, and
// fails. Nothing runs twice.
package control

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/remora-project/remora"
)

// Config is what Runs works with. All members are required unless they say
// otherwise.
type Config struct {
	Store    remora.Store
	Provider remora.Provider
	Runtimes remora.Runtimes
	Blobs    remora.Blobs
	Logs     remora.Logs
	Log      *slog.Logger
	Now      remora.Clock

	Sizing    Sizing
	WorkDir   string // scripts of open runs live below it
	LogPrefix string // "/aws-glue/ray/jobs"

	// Env returns what every process of a run's cluster finds in its environment:
	// endpoints, region, credentials.
	Env func() map[string]string
	// Warm has clusters that are ready; nil: none.
	Warm *Warm
	// Grace is the time between SIGTERM and SIGKILL when a run or a session is
	// stopped.
	Grace time.Duration

	warm warmTimes // of tests
}

// Runs drives all job runs of one control plane.
type Runs struct {
	cfg  Config
	ctx  context.Context // ends with Close: goroutines stop driving, clusters go on
	end  context.CancelFunc
	wg   sync.WaitGroup
	mu   sync.Mutex
	live map[string]*drive // by run id
}

// NewRuns returns a Runs that does nothing until Resume.
func NewRuns(cfg Config) *Runs {
	ctx, end := context.WithCancel(context.Background())
	return &Runs{cfg: cfg, ctx: ctx, end: end, live: map[string]*drive{}}
}

// Resume picks up every run that an earlier control plane left open. It returns
// once they are being driven, without waiting for any of them.
func (c *Runs) Resume(ctx context.Context) error {
	open, err := c.cfg.Store.OpenRuns(ctx)
	if err != nil {
		return err
	}
	jobs := map[string]bool{}
	for _, r := range open {
		if r.State == remora.Waiting {
			jobs[r.JobName] = true
			continue
		}
		c.cfg.Log.Info("resuming run", "run", r.ID, "job", r.JobName, "state", r.State)
		c.spawn(r)
	}
	for job := range jobs {
		c.Promote(ctx, job)
	}
	return nil
}

// Close stops driving and waits until every goroutine has let go. Clusters and
// scripts go on, to be resumed by the next control plane.
func (c *Runs) Close() {
	c.mu.Lock() // none is begun from here on
	c.end()
	c.mu.Unlock()
	c.wg.Wait()
}

// Open returns how many runs are being driven.
func (c *Runs) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.live)
}

// spawn starts driving a run; a run that is being driven is left alone. r may be
// out of date, and the run may even have ended: its drive reads it again.
func (c *Runs) spawn(r remora.Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live[r.ID] != nil {
		return
	}
	d := &drive{Runs: c, run: r, stopper: newStopper(), born: time.Now(),
		log: c.cfg.Log.With("run", r.ID, "job", r.JobName)}
	begun := c.begin(func() {
		d.live(c.ctx)
		c.mu.Lock()
		delete(c.live, r.ID)
		c.mu.Unlock()
		if c.ctx.Err() == nil {
			c.Promote(c.ctx, r.JobName)
		}
	})
	if begun {
		c.live[r.ID] = d
	}
}

// begin runs f in a goroutine that Close waits for, unless Close has been
// called; c.mu is held.
func (c *Runs) begin(f func()) bool {
	if c.ctx.Err() != nil {
		return false
	}
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		f()
	}()
	return true
}

// Stop asks a run to stop and returns at once; the run becomes STOPPED when its
// processes are gone. A run that is stopping, has ended, or is just ending is
// left as it is: stopping twice is no error. NotFound if the job has no such run.
func (c *Runs) Stop(ctx context.Context, jobName, id string) error {
	if _, err := c.cfg.Store.Run(ctx, jobName, id); err != nil {
		return err
	}
	r, err := c.cfg.Store.ChangeRun(ctx, id, func(r *remora.Run) (*remora.Run, error) {
		if r.State.Ended() || r.Outcome != nil {
			return nil, errUnchanged
		}
		if r.State != remora.Stopping {
			r.State = remora.Stopping
			r.LastModifiedOn = c.cfg.Now()
		}
		return nil, nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	d := c.live[id]
	if d != nil {
		d.askToStop()
	}
	c.mu.Unlock()
	if d == nil { // it was waiting
		c.spawn(r)
	}
	return nil
}

// errUnchanged leaves a ChangeRun without storing anything.
var errUnchanged = errors.New("nothing to change")
