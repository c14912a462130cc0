package keyring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remora-project/remora"
)

// clock is a wall clock that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newKeyring(t testing.TB) (*Keyring, *clock) {
	t.Helper()
	c := &clock{t: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	k, err := open(filepath.Join(t.TempDir(), "state", "keys.json"), c.now)
	if err != nil {
		t.Fatal(err)
	}
	return k, c
}

func rotate(t testing.TB, k *Keyring, grace time.Duration) Key {
	t.Helper()
	key, err := k.Rotate(grace)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func wantValid(t testing.TB, k *Keyring, key Key, want bool) {
	t.Helper()
	secret, ok := k.Secret(key.ID)
	if ok != want || ok && secret != key.Secret() || !ok && secret != "" {
		t.Errorf("Secret(%s) is ok: %v (right one: %v), want %v", key.ID, ok, secret == key.Secret(), want)
	}
}

func wantKind(t testing.TB, err error, kind remora.Kind, text string) {
	t.Helper()
	var e *remora.Error
	if !errors.As(err, &e) || e.Kind != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want an error of kind %v with %q", err, kind, text)
	}
}

func TestFirstStartMakesAKey(t *testing.T) {
	k, _ := newKeyring(t)
	key := k.Current()
	if !regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`).MatchString(key.ID) {
		t.Errorf("id %q is not of AWS's form", key.ID)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9]{40}$`).MatchString(key.Secret()) {
		t.Error("the secret is not 40 letters and digits")
	}
	if key.Status != Current || !key.Created.Equal(k.now()) || !key.Ends.IsZero() || key.Hint() != key.ID[16:] {
		t.Errorf("got %#v created %v, ends %v, hint %s", key, key.Created, key.Ends, key.Hint())
	}
	wantValid(t, k, key, true)
	again, err := Open(k.path)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Current(); got.ID != key.ID || got.Secret() != key.Secret() {
		t.Errorf("the second start has %v, the first one made %v", got, key)
	}
}

func TestKeysDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id, secret := newID(), newSecret()
		if seen[id] || seen[secret] {
			t.Fatal("the same twice")
		}
		seen[id], seen[secret] = true, true
	}
}

func TestRotateWithGrace(t *testing.T) {
	k, clock := newKeyring(t)
	first := k.Current()
	second := rotate(t, k, time.Hour)
	if got := k.Current(); got.ID != second.ID || got.Secret() != second.Secret() {
		t.Fatalf("current is %v, want %v", got, second)
	}
	wantValid(t, k, first, true)
	clock.advance(30 * time.Minute)
	third := rotate(t, k, 24*time.Hour)
	for _, key := range k.List() {
		want := map[string]Status{first.ID: Expiring, second.ID: Expiring, third.ID: Current}[key.ID]
		if key.Status != want || key.Secret() != "" {
			t.Errorf("listed %v, want %s and no secret", key, want)
		}
	}
	if got := k.List()[0].ID; got != third.ID {
		t.Errorf("the first of the list is %s, want the newest", got)
	}
	clock.advance(30*time.Minute - 1)
	wantValid(t, k, first, true)
	clock.advance(1)
	wantValid(t, k, first, false) // a later, longer grace does not prolong an earlier one
	wantValid(t, k, second, true)
	clock.advance(24 * time.Hour)
	wantValid(t, k, second, false)
	wantValid(t, k, third, true)
	for _, key := range k.List() {
		if want := map[bool]Status{true: Current, false: Expired}[key.ID == third.ID]; key.Status != want {
			t.Errorf("listed %v, want %s", key, want)
		}
	}
}

func TestRotateWithoutGrace(t *testing.T) {
	k, _ := newKeyring(t)
	first := k.Current()
	second := rotate(t, k, time.Hour)
	third := rotate(t, k, 0)
	wantValid(t, k, first, false)
	wantValid(t, k, second, false)
	wantValid(t, k, third, true)
	if keys := k.List(); keys[1].Status != Revoked || keys[2].Status != Revoked {
		t.Errorf("listed %v", keys)
	}
	_, err := k.Rotate(-time.Second)
	wantKind(t, err, remora.Invalid, "give 0 or more")
	if got := k.Current(); got.ID != third.ID {
		t.Errorf("a refused rotation made %v current", got)
	}
}

func TestRevoke(t *testing.T) {
	k, clock := newKeyring(t)
	first := k.Current()
	second := rotate(t, k, time.Hour)
	wantKind(t, k.Revoke(second.ID), remora.WrongState, "rotate keys without grace")
	wantKind(t, k.Revoke("AKIANOSUCHKEY"), remora.NotFound, "AKIANOSUCHKEY")
	for range 2 { // idempotent
		if err := k.Revoke(first.ID); err != nil {
			t.Fatal(err)
		}
		wantValid(t, k, first, false)
	}
	clock.advance(-24 * time.Hour)
	wantValid(t, k, first, false) // also for a clock that went back
	wantValid(t, k, second, true)
}

func TestEndedKeysLoseTheirSecretAndAreForgotten(t *testing.T) {
	k, clock := newKeyring(t)
	first := k.Current()
	rotate(t, k, time.Hour)
	clock.advance(2 * time.Hour)
	rotate(t, k, time.Hour)
	if text := contentsOf(t, k.path); strings.Contains(text, first.Secret()) || !strings.Contains(text, first.ID) {
		t.Error("of an expired key the id must stay in the file and the secret must not")
	}
	clock.advance(forgetAfter)
	rotate(t, k, time.Hour)
	for _, key := range k.List() {
		if key.ID == first.ID {
			t.Errorf("%v is still listed", key)
		}
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	k, _ := newKeyring(t)
	key := rotate(t, k, time.Hour)
	type wrapped struct {
		key     Key
		Public  Key
		pointer *Key
	}
	var log bytes.Buffer
	values := []any{key, &key, wrapped{key, key, &key}, &wrapped{key, key, &key}, []Key{key}, map[string]Key{"k": key},
		k, k.List()}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X"} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(text)
		slog.New(slog.NewTextHandler(&log, nil)).Info("text", "value", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "value", v)
	}
	secret := key.Secret()
	for what, s := range map[string]string{"plain": secret, "hex": fmt.Sprintf("%x", secret), "HEX": fmt.Sprintf("%X", secret)} {
		if strings.Contains(log.String(), s) {
			t.Errorf("the secret was printed (%s)", what)
		}
	}
	if !strings.Contains(log.String(), key.ID) {
		t.Error("the id was not printed")
	}
}

func TestConcurrentUse(t *testing.T) {
	k, _ := newKeyring(t)
	first := k.Current()
	const writers, rotations = 4, 5
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, ok := k.Secret(first.ID); !ok {
					t.Error("a key in its grace was refused")
					return
				}
				k.Secret("AKIAUNKNOWN")
				k.Current()
			}
		})
	}
	for range writers {
		writing.Go(func() {
			for range rotations {
				key, err := k.Rotate(time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				if secret, ok := k.Secret(key.ID); !ok || secret != key.Secret() {
					t.Errorf("the key just made, %v, is not there", key)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	if n := len(k.List()); n != 1+writers*rotations {
		t.Errorf("%d keys are listed, want %d", n, 1+writers*rotations)
	}
}

func BenchmarkSecret(b *testing.B) {
	k, _ := newKeyring(b)
	id := k.Current().ID
	for b.Loop() {
		if _, ok := k.Secret(id); !ok {
			b.Fatal("not there")
		}
	}
}

func BenchmarkSecretUnknown(b *testing.B) {
	k, _ := newKeyring(b)
	for b.Loop() {
		k.Secret("AKIAUNKNOWN")
	}
}
