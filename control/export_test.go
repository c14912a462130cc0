package control

import (
	"cmp"
	"time"
)

// Abandon lets go of the clusters that wait, as a control plane does that is
// killed: without a word to them.
func (w *Warm) Abandon() {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.ready = nil
	w.mu.Unlock()
	w.end()
	if w.owner != nil {
		w.owner.Close()
	}
}

// Within bounds how long a cluster that waits may take to answer who claims it.
func (cfg *Config) Within(d time.Duration) { cfg.warm.answer = d }

// Probe sets how often clusters that wait are asked whether they are there, and
// how long they may take to answer.
func (cfg *Config) Probe(every, patient time.Duration) {
	cfg.warm.probe, cfg.warm.patient = every, patient
}

// ProbeByDefault is how often, where Probe has not been called.
func (cfg *Config) ProbeByDefault(every time.Duration) {
	cfg.warm.probe = cmp.Or(cfg.warm.probe, every)
}

// IdleSince is since when nothing runs in a session; zero if that is not known.
func (c *Sessions) IdleSince(id string) time.Time {
	a := c.attendant(id)
	if a == nil {
		return time.Time{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.idle
}
