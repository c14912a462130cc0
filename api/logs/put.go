package logs

import (
	"context"
	"fmt"
	"time"

	"github.com/remora-project/remora"
	model "github.com/remora-project/remora/api/awsmodel/logs"
)

// Bounds of a batch, from the documentation of PutLogEvents.
const (
	maxBatch      = 1 << 20 // bytes of messages, and eventOverhead for each
	eventOverhead = 26
	maxSpan       = 24 * time.Hour
	maxAge        = 14 * 24 * time.Hour
	maxAhead      = 2 * time.Hour
)

// putLogEvents stores the events of a batch that are neither too old nor too
// new; the answer tells which were not. Sequence tokens are not looked at.
func (s service) putLogEvents(ctx context.Context, in *model.PutLogEventsRequest) (*model.PutLogEventsResponse, error) {
	const op = "PutLogEvents"
	group, stream := *in.LogGroupName, *in.LogStreamName
	if err := checkBatch(op, stream, in.LogEvents); err != nil {
		return nil, err
	}
	g, err := s.group(ctx, op, group)
	if err != nil {
		return nil, err
	}
	// Append would make the stream.
	streams, _, err := s.logs.Streams(ctx, remora.StreamQuery{Group: group, Prefix: stream, Page: remora.Page{Limit: 1}})
	if err != nil {
		return nil, err
	}
	if len(streams) == 0 || streams[0].Name != stream {
		return nil, remora.NotFoundf(op, stream, "The specified log stream does not exist.")
	}
	now := s.now()
	valid, rejected := accepted(in.LogEvents, now, g.RetentionDays)
	if len(valid) > 0 {
		first, last := valid[0].Timestamp, valid[len(valid)-1].Timestamp
		if last.Sub(first) > maxSpan {
			return nil, remora.Invalidf(op, stream, "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
		}
		if err := s.logs.Append(ctx, group, stream, valid); err != nil {
			return nil, err
		}
	}
	return &model.PutLogEventsResponse{NextSequenceToken: new(fmt.Sprintf("%056d", now.UnixNano())), RejectedLogEventsInfo: rejected}, nil
}

func checkBatch(op, stream string, events []*model.InputLogEvent) error {
	size, last := 0, int64(0)
	for _, e := range events {
		if n := len(*e.Message); n > remora.MaxMessageBytes {
			return remora.Invalidf(op, stream, "Log event too large: %d bytes exceeds limit of %d", n+eventOverhead,
				remora.MaxMessageBytes+eventOverhead)
		}
		if *e.Timestamp < last {
			return remora.Invalidf(op, stream, "Log events in a single PutLogEvents request must be in chronological order.")
		}
		size, last = size+len(*e.Message)+eventOverhead, *e.Timestamp
	}
	if size > maxBatch {
		return remora.Invalidf(op, stream, "Upload too large: %d bytes exceeds limit of %d", size, maxBatch)
	}
	return nil
}

// accepted returns the events of a batch that can be stored, and where the
// others are: of those at its beginning the end, exclusive, of those at its end
// the beginning. nil if there are no others.
func accepted(batch []*model.InputLogEvent, now time.Time, retentionDays int) ([]remora.LogEvent, *model.RejectedLogEventsInfo) {
	var expired, old, ahead int
	ahead = len(batch)
	valid := make([]remora.LogEvent, 0, len(batch))
	for i, e := range batch {
		t := time.UnixMilli(*e.Timestamp)
		switch {
		case retentionDays > 0 && t.Before(now.AddDate(0, 0, -retentionDays)):
			expired = i + 1
		case t.Before(now.Add(-maxAge)):
			old = i + 1
		case t.After(now.Add(maxAhead)):
			ahead = min(ahead, i)
		default:
			valid = append(valid, remora.LogEvent{Timestamp: t, Message: *e.Message})
		}
	}
	if len(valid) == len(batch) {
		return valid, nil
	}
	r := &model.RejectedLogEventsInfo{}
	if expired > 0 {
		r.ExpiredLogEventEndIndex = new(int32(expired))
	}
	if old > 0 {
		r.TooOldLogEventEndIndex = new(int32(old))
	}
	if ahead < len(batch) {
		r.TooNewLogEventStartIndex = new(int32(ahead))
	}
	return valid, r
}
