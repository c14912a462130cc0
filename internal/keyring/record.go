package keyring

import "time"

// record is a key as the file has it. A key without an end is the current one;
// there is exactly one. Never print a record, describe it.
type record struct {
	ID      string    `json:"id"`
	Secret  string    `json:"secret,omitempty"` // erased when the key has ended
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
}

func newRecord(now time.Time) record {
	return record{ID: newID(), Secret: newSecret(), Created: now.UTC().Truncate(time.Second)}
}

func (r record) current() bool { return r.Expires.IsZero() && r.Revoked.IsZero() }

// end is when the key stops being valid, zero for the current one.
func (r record) end() time.Time {
	if !r.Revoked.IsZero() {
		return r.Revoked
	}
	return r.Expires
}

func (r record) ended(now time.Time) bool {
	return !r.Revoked.IsZero() && !r.Revoked.After(now) || !r.Expires.IsZero() && !r.Expires.After(now)
}

// valid reports whether the key may be used. A revoked key may not, even if the
// clock has gone back since.
func (r record) valid(now time.Time) bool {
	return r.Secret != "" && r.Revoked.IsZero() && !r.ended(now)
}

// expire lets the key end at t, unless it ends earlier anyway.
func (r *record) expire(t time.Time) {
	if r.current() || r.Revoked.IsZero() && r.Expires.After(t) {
		r.Expires = t.UTC()
	}
}

// revoke ends the key now, unless it has ended.
func (r *record) revoke(now time.Time) {
	if !r.ended(now) {
		r.Revoked, r.Secret = now.UTC(), ""
	}
}

func (r record) describe(now time.Time) Key {
	k := Key{ID: r.ID, Created: r.Created, Ends: r.end(), Status: Current}
	switch {
	case !r.Revoked.IsZero():
		k.Status = Revoked
	case r.ended(now):
		k.Status = Expired
	case !r.current():
		k.Status = Expiring
	}
	return k
}

func (r record) reveal(now time.Time) Key {
	k := r.describe(now)
	k.secret = &r.Secret
	return k
}
