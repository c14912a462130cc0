package sqlite

import (
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"

	"github.com/remora-project/remora"
)

// A cursor is the sequence number of the last entry returned and a checksum of
// it together with the listing's name: "2s-9f3a1c22". The checksum is against
// mistakes, a token of another listing above all; there is nothing to protect.

// listing names what is listed: its kind and what it is restricted to.
func listing(kind, of string) string { return kind + "\x00" + of }

func makeCursor(listing string, seq int64) remora.Cursor {
	n := strconv.FormatInt(seq, 36)
	return remora.Cursor(n + "-" + checksum(listing, n))
}

func checksum(listing, n string) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(listing+"\x00"+n)))
}

// parse returns the sequence number of a cursor, or start for the beginning.
func parse(listing string, c remora.Cursor, start int64) (int64, error) {
	if c == "" {
		return start, nil
	}
	n, sum, _ := strings.Cut(string(c), "-")
	seq, err := strconv.ParseInt(n, 36, 64)
	if err != nil || seq < 1 || sum != checksum(listing, n) || n != strconv.FormatInt(seq, 36) {
		return 0, remora.Errorf(remora.InvalidPageToken, "store: list", "",
			"the page token %q was not handed out for this listing: start again without one", c)
	}
	return seq, nil
}

// maxPageBytes bounds what is stored of a page's entries. A few documents and
// outputs may have more than all others together, and a page is in memory as a
// whole several times until it has been answered.
const maxPageBytes = 8 << 20

// page gathers a listing's page from a query for one entry more than asked.
type page[T any] struct {
	listing string
	limit   int
	items   []T
	size    int
	last    int64
	more    bool
}

func newPage[T any](listing string, limit int) (*page[T], error) {
	if limit < 1 {
		return nil, remora.Internalf("store: list", "", "a page of %d entries was asked for: 1 is the least", limit)
	}
	return &page[T]{listing: listing, limit: min(limit, math.MaxInt32)}, nil
}

// each adds the rows of a query that scan reads, until the page is full.
func (p *page[T]) each(scan func(scanner) (seq int64, item T, err error)) func(scanner) error {
	return func(row scanner) error {
		if len(p.items) == p.limit {
			p.more = true
			return errEnough
		}
		weighed := &weighed{scanner: row}
		seq, item, err := scan(weighed)
		if err != nil {
			return err
		}
		if len(p.items) > 0 && p.size+weighed.size > maxPageBytes {
			p.more = true
			return errEnough
		}
		p.items, p.last, p.size = append(p.items, item), seq, p.size+weighed.size
		return nil
	}
}

// next is the cursor of the page that follows, "" if there is none.
func (p *page[T]) next() remora.Cursor {
	if !p.more {
		return ""
	}
	return makeCursor(p.listing, p.last)
}

// weighed is a row that knows how many bytes of text and documents it has.
type weighed struct {
	scanner
	size int
}

func (w *weighed) Scan(dest ...any) error {
	err := w.scanner.Scan(dest...)
	for _, d := range dest {
		switch d := d.(type) {
		case *string:
			w.size += len(*d)
		case *[]byte:
			w.size += len(*d)
		}
	}
	return err
}
