package logs

import (
	"context"
	"slices"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsmodel"
	model "github.com/remora-project/remora/api/awsmodel/logs"
)

// defaultDescribe is how many groups or streams a page has unless the request says.
const defaultDescribe = 50

// retentions are the days that CloudWatch allows.
var retentions = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// createLogGroup makes a group. Tags are accepted and not kept; what would have
// to be kept to be true, such as encryption, is refused.
func (s service) createLogGroup(ctx context.Context, in *model.CreateLogGroupRequest) (*awsmodel.None, error) {
	const op = "CreateLogGroup"
	switch {
	case in.KmsKeyId != nil:
		return nil, remora.Invalidf(op, *in.LogGroupName, "Remora does not encrypt log groups: leave out kmsKeyId.")
	case in.LogGroupClass != nil && *in.LogGroupClass != model.LogGroupClassStandard:
		return nil, remora.Invalidf(op, *in.LogGroupName, "Remora has log groups of class STANDARD only, not %s.", *in.LogGroupClass)
	case awsmodel.Value(in.DeletionProtectionEnabled):
		return nil, remora.Invalidf(op, *in.LogGroupName, "Remora does not have deletion protection: leave out deletionProtectionEnabled.")
	}
	return &awsmodel.None{}, s.logs.CreateGroup(ctx, *in.LogGroupName)
}

func (s service) deleteLogGroup(ctx context.Context, in *model.DeleteLogGroupRequest) (*awsmodel.None, error) {
	return &awsmodel.None{}, s.logs.DeleteGroup(ctx, *in.LogGroupName)
}

func (s service) putRetentionPolicy(ctx context.Context, in *model.PutRetentionPolicyRequest) (*awsmodel.None, error) {
	if !slices.Contains(retentions, *in.RetentionInDays) {
		return nil, remora.Invalidf("PutRetentionPolicy", *in.LogGroupName, "1 validation error detected: Value '%d' at "+
			"'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: %v", *in.RetentionInDays, retentions)
	}
	return &awsmodel.None{}, s.logs.SetRetention(ctx, *in.LogGroupName, int(*in.RetentionInDays))
}

func (s service) deleteRetentionPolicy(ctx context.Context, in *model.DeleteRetentionPolicyRequest) (*awsmodel.None, error) {
	return &awsmodel.None{}, s.logs.SetRetention(ctx, *in.LogGroupName, 0)
}

func (s service) describeLogGroups(ctx context.Context, in *model.DescribeLogGroupsRequest) (*model.DescribeLogGroupsResponse, error) {
	const op = "DescribeLogGroups"
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, remora.Invalidf(op, "", "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	out := &model.DescribeLogGroupsResponse{LogGroups: []*model.LogGroup{}}
	if in.LogGroupClass != nil && *in.LogGroupClass != model.LogGroupClassStandard {
		return out, nil
	}
	if len(in.LogGroupIdentifiers) > 0 {
		return out, s.describeNamed(ctx, in, out)
	}
	sc := scope(op, in.LogGroupNamePrefix, in.LogGroupNamePattern)
	page, err := s.page(sc, in.NextToken, in.Limit, defaultDescribe)
	if err != nil {
		return nil, err
	}
	groups, next, err := s.logs.Groups(ctx, remora.GroupQuery{Prefix: awsmodel.Value(in.LogGroupNamePrefix),
		Contains: awsmodel.Value(in.LogGroupNamePattern), Page: page})
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		out.LogGroups = append(out.LogGroups, s.modelGroup(g))
	}
	out.NextToken = s.token(sc, next)
	return out, nil
}

// describeNamed answers for the groups that the request names; of those there
// are at most 50, one page.
func (s service) describeNamed(ctx context.Context, in *model.DescribeLogGroupsRequest, out *model.DescribeLogGroupsResponse) error {
	const op = "DescribeLogGroups"
	if in.LogGroupNamePrefix != nil || in.LogGroupNamePattern != nil {
		return remora.Invalidf(op, "", "LogGroup identifiers and a LogGroup name prefix or pattern are mutually exclusive parameters.")
	}
	for _, id := range in.LogGroupIdentifiers {
		name, err := s.groupName(op, nil, &id)
		if err == nil {
			var g remora.LogGroup
			if g, err = s.group(ctx, op, name); err == nil {
				out.LogGroups = append(out.LogGroups, s.modelGroup(g))
			}
		}
		if err != nil && remora.KindOf(err) != remora.NotFound {
			return err
		}
	}
	return nil
}

// group returns one group.
func (s service) group(ctx context.Context, op, name string) (remora.LogGroup, error) {
	// By name, so the first that begins with the name is it, if it is there.
	groups, _, err := s.logs.Groups(ctx, remora.GroupQuery{Prefix: name, Page: remora.Page{Limit: 1}})
	if err == nil && (len(groups) == 0 || groups[0].Name != name) {
		err = noGroup(op, name)
	}
	if err != nil {
		return remora.LogGroup{}, err
	}
	return groups[0], nil
}

func (s service) modelGroup(g remora.LogGroup) *model.LogGroup {
	arn := s.arns.group(g.Name)
	m := &model.LogGroup{LogGroupName: &g.Name, CreationTime: millis(g.CreatedOn), MetricFilterCount: new(int32(0)),
		Arn: new(arn + ":*"), LogGroupArn: &arn, StoredBytes: &g.StoredBytes, LogGroupClass: new(model.LogGroupClassStandard)}
	if g.RetentionDays > 0 {
		m.RetentionInDays = new(int32(g.RetentionDays))
	}
	return m
}
