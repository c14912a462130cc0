package keyring

import (
	"slices"
	"time"

	"github.com/remora-project/remora"
)

// forgetAfter is how long a key that has ended is still listed, so that a
// person who finds its id in a log can tell what it was.
const forgetAfter = 90 * 24 * time.Hour

// Rotate makes a new current key and returns it. The others stay valid for grace
// more, or for as long as they had before if that is less; with 0 they are
// revoked at once, which is the answer to a key that got out.
func (k *Keyring) Rotate(grace time.Duration) (Key, error) {
	const op = "keyring: rotate"
	if grace < 0 {
		return Key{}, remora.Invalidf(op, k.path, "the time for which old keys stay valid is %v: give 0 or more", grace)
	}
	var made Key
	err := k.change(func(keys []record, now time.Time) ([]record, error) {
		for i := range keys {
			if grace == 0 {
				keys[i].revoke(now)
			} else {
				keys[i].expire(now.Add(grace))
			}
		}
		r := newRecord(now)
		made = r.reveal(now)
		return append(keys, r), nil
	})
	if err != nil {
		return Key{}, err
	}
	return made, nil
}

// Revoke ends a key at once and erases its secret; a key that has ended stays as
// it is. NotFound if there is no such key; WrongState if it is the current one,
// which only Rotate can replace: there always is one to sign with.
func (k *Keyring) Revoke(id string) error {
	const op = "keyring: revoke"
	return k.change(func(keys []record, now time.Time) ([]record, error) {
		i := slices.IndexFunc(keys, func(r record) bool { return r.ID == id })
		if i < 0 {
			return nil, remora.NotFoundf(op, id, "there is no access key %s", id)
		}
		if keys[i].current() {
			return nil, remora.Errorf(remora.WrongState, op, id,
				"%s is the current access key: rotate keys without grace to replace and revoke it at once", id)
		}
		keys[i].revoke(now)
		return keys, nil
	})
}

// change applies f to what the file holds now and writes the result. Writers in
// this process and in others take turns. An error from f is returned and nothing
// is written.
func (k *Keyring) change(f func(keys []record, now time.Time) ([]record, error)) error {
	defer k.latest(true) // this process sees its own change at once
	return k.locked(func() error {
		s, err := read(k.path)
		if err != nil {
			return err
		}
		now := k.now()
		keys, err := f(s.keys, now)
		if err != nil {
			return err
		}
		return write(k.path, tidy(keys, now))
	})
}

// tidy erases the secrets of keys that have ended, and forgets the oldest ones.
func tidy(keys []record, now time.Time) []record {
	keys = slices.DeleteFunc(keys, func(r record) bool { return r.ended(now.Add(-forgetAfter)) })
	for i := range keys {
		if keys[i].ended(now) {
			keys[i].Secret = ""
		}
	}
	return keys
}
