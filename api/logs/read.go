package logs

import (
	"context"
	"strings"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsmodel"
	model "github.com/remora-project/remora/api/awsmodel/logs"
)

// defaultEvents is how many events a page has at most unless the request says;
// 1 MiB is the other bound, which the store keeps.
const defaultEvents = 10_000

func (s service) getLogEvents(ctx context.Context, in *model.GetLogEventsRequest) (*model.GetLogEventsResponse, error) {
	const op = "GetLogEvents"
	group, err := s.groupName(op, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	q := remora.ReadQuery{Group: group, Stream: *in.LogStreamName, From: milli(in.StartTime), To: milli(in.EndTime),
		FromHead: awsmodel.Value(in.StartFromHead), Limit: defaultEvents}
	if in.Limit != nil {
		q.Limit = int(*in.Limit)
	}
	// The window is not part of the scope: who follows a stream may move it.
	forward, backward := scope(op, &group, in.LogStreamName, "f"), scope(op, &group, in.LogStreamName, "b")
	if in.NextToken != nil {
		direction, token, _ := strings.Cut(*in.NextToken, "/")
		sc := forward
		if direction == "b" {
			sc = backward
		}
		c, err := s.tokens.Decode(sc, token)
		if err != nil || c == "" || direction != "f" && direction != "b" {
			return nil, remora.Errorf(remora.InvalidPageToken, op, q.Stream, "The specified nextToken is invalid.")
		}
		q.Token = string(c)
	}
	p, err := s.logs.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &model.GetLogEventsResponse{
		Events:            []*model.OutputLogEvent{},
		NextForwardToken:  new("f/" + s.tokens.Encode(forward, remora.Cursor(p.Forward))),
		NextBackwardToken: new("b/" + s.tokens.Encode(backward, remora.Cursor(p.Backward))),
	}
	for _, e := range p.Events {
		out.Events = append(out.Events, &model.OutputLogEvent{Timestamp: millis(e.Timestamp), Message: &e.Message,
			IngestionTime: millis(e.Ingested)})
	}
	return out, nil
}

// filterLogEvents searches a group. Answers are always interleaved, as the
// service's own are since the parameter was deprecated.
func (s service) filterLogEvents(ctx context.Context, in *model.FilterLogEventsRequest) (*model.FilterLogEventsResponse, error) {
	const op = "FilterLogEvents"
	group, err := s.groupName(op, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	q := remora.FilterQuery{Group: group, Streams: in.LogStreamNames, StreamPrefix: awsmodel.Value(in.LogStreamNamePrefix),
		From: milli(in.StartTime)}
	if in.EndTime != nil {
		q.To = milli(in.EndTime).Add(time.Millisecond) // here, not in GetLogEvents, the end is included
	}
	switch {
	case in.LogStreamNamePrefix != nil && len(in.LogStreamNames) > 0:
		return nil, remora.Invalidf(op, group, "LogStream names and a LogStream name prefix are mutually exclusive parameters.")
	case in.StartFromHead != nil && !*in.StartFromHead:
		return nil, remora.Invalidf(op, group, "Remora finds the earliest log events first: startFromHead=false is not supported.")
	}
	if q.Match, err = parsePattern(awsmodel.Value(in.FilterPattern)); err != nil {
		return nil, err
	}
	sc := scope(op, &group, in.LogStreamNames, in.LogStreamNamePrefix, in.FilterPattern, in.StartTime, in.EndTime)
	if q.Page, err = s.page(sc, in.NextToken, in.Limit, defaultEvents); err != nil {
		return nil, err
	}
	events, next, err := s.logs.Filter(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &model.FilterLogEventsResponse{Events: []*model.FilteredLogEvent{}, NextToken: s.token(sc, next),
		SearchedLogStreams: []*model.SearchedLogStream{}} // the service leaves it empty, too
	for _, e := range events {
		out.Events = append(out.Events, &model.FilteredLogEvent{LogStreamName: &e.Stream, Timestamp: millis(e.Timestamp),
			Message: &e.Message, IngestionTime: millis(e.Ingested), EventId: &e.ID})
	}
	return out, nil
}
