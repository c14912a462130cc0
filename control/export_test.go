package control

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
