package glue

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/remora-project/remora"
	model "github.com/remora-project/remora/api/awsmodel/glue"
)

// maxTags is the service's limit per resource.
const maxTags = 50

func (s service) tagResource(ctx context.Context, in *model.TagResourceRequest) (*model.TagResourceResponse, error) {
	arn, err := s.resource(ctx, "TagResource", *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &model.TagResourceResponse{}, s.Store.ChangeTags(ctx, arn, func(tags map[string]string) error {
		maps.Copy(tags, in.TagsToAdd)
		if len(tags) > maxTags {
			return remora.Invalidf("TagResource", arn, "A resource has at most %d tags; this would make %d.", maxTags, len(tags))
		}
		return nil
	})
}

func (s service) untagResource(ctx context.Context, in *model.UntagResourceRequest) (*model.UntagResourceResponse, error) {
	arn, err := s.resource(ctx, "UntagResource", *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &model.UntagResourceResponse{}, s.Store.ChangeTags(ctx, arn, func(tags map[string]string) error {
		for _, k := range in.TagsToRemove {
			delete(tags, k)
		}
		return nil
	})
}

func (s service) getTags(ctx context.Context, in *model.GetTagsRequest) (*model.GetTagsResponse, error) {
	arn, err := s.resource(ctx, "GetTags", *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags, err := s.Store.Tags(ctx, arn)
	return &model.GetTagsResponse{Tags: tags}, err
}

// resource checks that an ARN names a job or a session that is there, and
// returns the form under which its tags are kept. Region and account may be
// empty or another's: Terraform without its account look-up sends an empty one,
// and a server is one account in one region whatever its clients believe.
func (s service) resource(ctx context.Context, op, arn string) (string, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "glue" {
		return "", remora.Invalidf(op, arn, "%q is not the ARN of a Glue resource.", arn)
	}
	kind, name, _ := strings.Cut(parts[5], "/") // the name itself may have slashes and colons
	switch {
	case kind == "job" && name != "":
		_, err := s.job(ctx, op, name)
		return s.jobARN(name), err
	case kind == "session" && name != "":
		_, err := s.SessionStore.Session(ctx, name)
		return s.sessionARN(name), sessionError(op, name, err)
	}
	return "", remora.NotFoundf(op, arn, "Resource %s not found: Remora keeps tags of jobs and sessions.", arn)
}

// canonical is a text that differs for different maps.
func canonical(m map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b.WriteString(strconv.Quote(k) + strconv.Quote(m[k]))
	}
	return b.String()
}
