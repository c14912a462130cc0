// Package logs is the front door of CloudWatch Logs: the operations that clients
// of Glue use to find, read and follow the logs of their runs, and to write
// their own.
//
// A file per family of operations: groups, streams, read, put. The terms of
// filterPattern are in pattern.go.
package logs

import (
	"fmt"
	"strings"
	"time"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsjson"
	"github.com/remora-project/remora/api/awsmodel"
	model "github.com/remora-project/remora/api/awsmodel/logs"
)

// ARNs is what the names of groups and streams are made of.
type ARNs struct {
	Region  string
	Account string
}

func (a ARNs) group(name string) string {
	return fmt.Sprintf("arn:aws:logs:%s:%s:log-group:%s", a.Region, a.Account, name)
}

func (a ARNs) stream(group, name string) string {
	return a.group(group) + ":log-stream:" + name
}

type service struct {
	logs   remora.Logs
	tokens *awsjson.Tokens
	arns   ARNs
	now    remora.Clock
}

// New returns the service.
func New(logs remora.Logs, tokens *awsjson.Tokens, arns ARNs) *awsjson.Service {
	return service{logs, tokens, arns, time.Now}.operations()
}

func (s service) operations() *awsjson.Service {
	return awsjson.NewService(model.TargetPrefix, model.SigningName, model.Operations,
		awsjson.Op("CreateLogGroup", s.createLogGroup),
		awsjson.Op("DeleteLogGroup", s.deleteLogGroup),
		awsjson.Op("DescribeLogGroups", s.describeLogGroups),
		awsjson.Op("PutRetentionPolicy", s.putRetentionPolicy),
		awsjson.Op("DeleteRetentionPolicy", s.deleteRetentionPolicy),
		awsjson.Op("CreateLogStream", s.createLogStream),
		awsjson.Op("DeleteLogStream", s.deleteLogStream),
		awsjson.Op("DescribeLogStreams", s.describeLogStreams),
		awsjson.Op("GetLogEvents", s.getLogEvents),
		awsjson.Op("FilterLogEvents", s.filterLogEvents),
		awsjson.Op("PutLogEvents", s.putLogEvents),
	)
}

// groupName returns the group that a request means: by its name, or by an
// identifier, which is a name or an ARN. A group of another account or region is
// one that does not exist.
func (s service) groupName(op string, name, identifier *string) (string, error) {
	switch {
	case name != nil && identifier != nil:
		return "", remora.Invalidf(op, *name, "LogGroup name and LogGroup ARN are mutually exclusive parameters.")
	case name != nil:
		return *name, nil
	case identifier == nil:
		return "", remora.Invalidf(op, "", "Either logGroupName or logGroupIdentifier must be given.")
	case !strings.HasPrefix(*identifier, "arn:"):
		return *identifier, nil
	}
	n, ok := strings.CutPrefix(*identifier, s.arns.group(""))
	if !ok || n == "" {
		return "", noGroup(op, *identifier)
	}
	return n, nil
}

func noGroup(op, name string) error {
	return remora.NotFoundf(op, name, "The specified log group does not exist.")
}

// page reads a request's paging members; limit is the default.
func (s service) page(scope string, token *string, limit *int32, def int) (remora.Page, error) {
	p := remora.Page{Limit: def}
	if limit != nil {
		p.Limit = int(*limit)
	}
	if token == nil {
		return p, nil
	}
	c, err := s.tokens.Decode(scope, *token)
	p.After = c
	return p, invalidToken(err)
}

// invalidToken gives the refusal of a token CloudWatch's words.
func invalidToken(err error) error {
	if err == nil {
		return nil
	}
	return remora.Errorf(remora.InvalidPageToken, "", "", "The specified nextToken is invalid.")
}

// token is a listing's nextToken; absent at the end.
func (s service) token(scope string, c remora.Cursor) *string {
	if c == "" {
		return nil
	}
	return new(s.tokens.Encode(scope, c))
}

// scope is awsjson.Scope of parameters of any kind.
func scope(op string, parameters ...any) string {
	text := make([]string, len(parameters))
	for i, p := range parameters {
		switch p := p.(type) {
		case *string:
			text[i] = awsmodel.Value(p)
		case *int64:
			if p != nil {
				text[i] = fmt.Sprint(*p)
			}
		default:
			text[i] = fmt.Sprintf("%q", p)
		}
	}
	return awsjson.Scope(op, text...)
}

// milli is the time of a member, which is in ms; zero if it is absent.
func milli(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms)
}

// millis is a member for a time; absent if that is zero.
func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	return new(t.UnixMilli())
}
