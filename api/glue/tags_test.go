package glue

import (
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"

	"github.com/remora-project/remora"
)

// Ids of sessions may hold whatever the separators of an ARN are.
func TestTagsOfSessions(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	for _, id := range []string{"plain", "a/b c:d/", "ключ ☃ %2F", `"quoted"'\`} {
		b.in(id, remora.SessionFailed)
		tags := func(arn string) map[string]string {
			t.Helper()
			out, err := b.GetTags(ctx, &glue.GetTagsInput{ResourceArn: &arn})
			if err != nil {
				t.Fatalf("tags of %s: %v", arn, err)
			}
			return out.Tags
		}
		arn := "arn:aws:glue:eu-central-1:000000000000:session/" + id
		if got := tags(arn); !maps.Equal(got, map[string]string{"owner": "AIDA"}) {
			t.Errorf("a new session has tags %v", got)
		}
		empty := "arn:aws:glue:us-east-1::session/" + id // what clients say that do not know their account
		if _, err := b.TagResource(ctx, &glue.TagResourceInput{ResourceArn: &empty, TagsToAdd: map[string]string{"a": "1"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.UntagResource(ctx, &glue.UntagResourceInput{ResourceArn: &arn, TagsToRemove: []string{"owner"}}); err != nil {
			t.Fatal(err)
		}
		if got := tags(arn); !maps.Equal(got, map[string]string{"a": "1"}) {
			t.Errorf("then it has tags %v", got)
		}
		if page, err := b.ListSessions(ctx, &glue.ListSessionsInput{Tags: map[string]string{"a": "1"}}); err != nil || len(page.Ids) != 1 || page.Ids[0] != id {
			t.Errorf("sessions with the tag are %v, %v", page, err)
		}
		if _, err := b.DeleteSession(ctx, &glue.DeleteSessionInput{Id: &id}); err != nil {
			t.Fatal(err)
		}
		_, err := b.GetTags(ctx, &glue.GetTagsInput{ResourceArn: &arn})
		b.refused(err, "EntityNotFoundException", "Session "+id+" not found.")
		b.in(id, remora.SessionFailed) // its tags are its own
		if got := tags(arn); got["a"] != "" {
			t.Errorf("a session of the same id has tags %v", got)
		}
		if _, err := b.DeleteSession(ctx, &glue.DeleteSessionInput{Id: &id}); err != nil {
			t.Fatal(err)
		}
	}
	for _, arn := range []string{"arn:aws:glue:us-east-1::session/", "arn:aws:glue:us-east-1::session", "arn:aws:glue:us-east-1::crawler/a"} {
		_, err := b.GetTags(ctx, &glue.GetTagsInput{ResourceArn: aws.String(arn)})
		b.refused(err, "EntityNotFoundException", "Remora keeps tags of jobs and sessions.")
	}
}
