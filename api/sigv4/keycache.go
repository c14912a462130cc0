package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
)

// maxCachedKeys bounds the cache: a key a day for each pair of region and
// service is a handful, the rest is room for clients that make up regions.
const maxCachedKeys = 512

// scope is what a signing key is derived from. The secret itself is in it, not
// the id of its key: a key that gets another secret gets other signing keys, and
// nothing has to be told to forget the old ones.
type scope struct{ secret, date, region, service string }

// keyCache remembers signing keys, which take four HMACs to derive. The zero
// value is ready.
//
// It is filled before a signature is known to be right, so that known and
// unknown access keys are treated alike. Whoever floods it with scopes costs
// others those four HMACs and no more: any entry can be the one that gives way.
type keyCache struct {
	mu   sync.RWMutex
	keys map[scope][]byte
}

func (c *keyCache) get(s scope) []byte {
	c.mu.RLock()
	key, ok := c.keys[s]
	c.mu.RUnlock()
	if ok {
		return key
	}

	key = signingKey(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = make(map[scope][]byte)
	}
	for other := range c.keys {
		if len(c.keys) < maxCachedKeys {
			break
		}
		delete(c.keys, other)
	}
	c.keys[s] = key
	return key
}

func signingKey(s scope) []byte {
	key := []byte("AWS4" + s.secret)
	for _, part := range []string{s.date, s.region, s.service, terminator} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}
