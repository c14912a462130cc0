package logs

import (
	"context"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsmodel"
	model "github.com/remora-project/remora/api/awsmodel/logs"
)

func (s service) createLogStream(ctx context.Context, in *model.CreateLogStreamRequest) (*awsmodel.None, error) {
	return &awsmodel.None{}, s.logs.CreateStream(ctx, *in.LogGroupName, *in.LogStreamName)
}

func (s service) deleteLogStream(ctx context.Context, in *model.DeleteLogStreamRequest) (*awsmodel.None, error) {
	return &awsmodel.None{}, s.logs.DeleteStream(ctx, *in.LogGroupName, *in.LogStreamName)
}

func (s service) describeLogStreams(ctx context.Context, in *model.DescribeLogStreamsRequest) (*model.DescribeLogStreamsResponse, error) {
	const op = "DescribeLogStreams"
	group, err := s.groupName(op, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	q := remora.StreamQuery{Group: group, Prefix: awsmodel.Value(in.LogStreamNamePrefix),
		ByTime: awsmodel.Value(in.OrderBy) == model.OrderByLastEventTime, Descending: awsmodel.Value(in.Descending)}
	if q.ByTime && in.LogStreamNamePrefix != nil {
		return nil, remora.Invalidf(op, group, "Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	sc := scope(op, &group, in.LogStreamNamePrefix, q.ByTime, q.Descending)
	if q.Page, err = s.page(sc, in.NextToken, in.Limit, defaultDescribe); err != nil {
		return nil, err
	}
	streams, next, err := s.logs.Streams(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &model.DescribeLogStreamsResponse{LogStreams: []*model.LogStream{}, NextToken: s.token(sc, next)}
	for _, d := range streams {
		out.LogStreams = append(out.LogStreams, &model.LogStream{LogStreamName: &d.Name, CreationTime: millis(d.CreatedOn),
			FirstEventTimestamp: millis(d.FirstEvent), LastEventTimestamp: millis(d.LastEvent), LastIngestionTime: millis(d.Ingested),
			Arn: new(s.arns.stream(group, d.Name)), StoredBytes: &d.Bytes})
	}
	return out, nil
}
