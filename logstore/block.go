package logstore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/remora-project/remora"
)

// A segment is a sequence of blocks and nothing else; its file is named by the
// sequence number of its first event. A block is one Append:
//
//	offset  bytes
//	0       4      magic
//	4       4      CRC32C of bytes 8 to 56, the segment's name and the block's offset
//	8       4      length of the payload
//	12      4      CRC32C of the payload
//	16      8      sequence number of the first event
//	24      8      timestamp of the first event, ms
//	32      8      timestamp of the last event, ms
//	40      8      time of arrival, ms
//	48      4      number of events
//	52      4      zero
//	56             payload: per event uvarint(ms since its predecessor, the first one 0),
//	               uvarint(length of message), message
//	end-4   4      length of the whole block, so that a segment can be read backwards
//
// Numbers are little-endian. One checksum over the whole batch makes an Append
// atomic: a process that is killed within its write(2) leaves a block that does
// not check, never a part of the batch. That the header's checksum covers where
// the block is keeps a message that contains a block from being taken for one.
const (
	blockMagic   = 0x31424c52 // "RLB1"
	headerBytes  = 56
	trailerBytes = 4
	maxPayload   = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn says that there is no whole block where one was looked for.
var errTorn = errors.New("torn block")

// header is what a block says about itself.
type header struct {
	payload    uint32 // bytes
	payloadCRC uint32
	seq        uint64
	first      int64 // ms
	last       int64 // ms
	ingested   int64 // ms
	count      uint32
}

// size is the block's length in the file.
func (h header) size() int64 { return headerBytes + int64(h.payload) + trailerBytes }

// end is the sequence number of the event after the block.
func (h header) end() uint64 { return h.seq + uint64(h.count) }

// appendBlock encodes a batch for the given place. Timestamps are those of ms,
// which must not go back.
func appendBlock(b []byte, base uint64, off int64, seq uint64, ingested int64, ms []int64, messages []string) []byte {
	start := len(b)
	b = append(b, make([]byte, headerBytes)...)
	prev := ms[0]
	for i, m := range messages {
		b = binary.AppendUvarint(b, uint64(ms[i]-prev))
		b = binary.AppendUvarint(b, uint64(len(m)))
		b = append(b, m...)
		prev = ms[i]
	}
	h, payload := b[start:start+headerBytes], b[start+headerBytes:]
	le := binary.LittleEndian
	le.PutUint32(h[0:], blockMagic)
	le.PutUint32(h[8:], uint32(len(payload)))
	le.PutUint32(h[12:], crc(payload))
	le.PutUint64(h[16:], seq)
	le.PutUint64(h[24:], uint64(ms[0]))
	le.PutUint64(h[32:], uint64(prev))
	le.PutUint64(h[40:], uint64(ingested))
	le.PutUint32(h[48:], uint32(len(messages)))
	le.PutUint32(h[4:], headerCRC(h, base, off))
	return le.AppendUint32(b, uint32(headerBytes+len(payload)+trailerBytes))
}

func crc(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func headerCRC(h []byte, base uint64, off int64) uint32 {
	var place [16]byte
	binary.LittleEndian.PutUint64(place[:], base)
	binary.LittleEndian.PutUint64(place[8:], uint64(off))
	return crc32.Update(crc(h[8:headerBytes]), castagnoli, place[:])
}

// parseHeader decodes the header of the block at a place; errTorn if there is none.
func parseHeader(b []byte, base uint64, off int64) (header, error) {
	le := binary.LittleEndian
	if len(b) < headerBytes || le.Uint32(b) != blockMagic || le.Uint32(b[4:]) != headerCRC(b, base, off) {
		return header{}, errTorn
	}
	h := header{
		payload: le.Uint32(b[8:]), payloadCRC: le.Uint32(b[12:]), seq: le.Uint64(b[16:]),
		first: int64(le.Uint64(b[24:])), last: int64(le.Uint64(b[32:])), ingested: int64(le.Uint64(b[40:])),
		count: le.Uint32(b[48:]),
	}
	if h.payload > maxPayload || h.count == 0 || h.seq < base || h.end() < h.seq || h.last < h.first || h.first < 0 {
		return header{}, errTorn
	}
	return h, nil
}

// event is an event as it is in a block.
type event struct {
	seq     uint64
	ms      int64
	ingest  int64
	message []byte // part of the block's payload
}

// decodePayload returns a block's events; errTorn if the payload is not what the
// header says.
func decodePayload(h header, payload []byte) ([]event, error) {
	if uint32(len(payload)) != h.payload || crc(payload) != h.payloadCRC {
		return nil, errTorn
	}
	if h.count == 0 || uint64(h.count)*2 > uint64(len(payload)) || h.last < h.first {
		return nil, errTorn
	}
	events := make([]event, 0, h.count)
	ms := h.first
	for i := range uint64(h.count) {
		delta, n := binary.Uvarint(payload)
		if n <= 0 || delta > uint64(h.last-ms) {
			return nil, errTorn
		}
		payload = payload[n:]
		length, n := binary.Uvarint(payload)
		if n <= 0 || length > remora.MaxMessageBytes || length > uint64(len(payload)-n) {
			return nil, errTorn
		}
		ms += int64(delta)
		events = append(events, event{seq: h.seq + i, ms: ms, ingest: h.ingested, message: payload[n : n+int(length)]})
		payload = payload[n+int(length):]
	}
	if len(payload) > 0 || ms != h.last {
		return nil, errTorn
	}
	return events, nil
}
