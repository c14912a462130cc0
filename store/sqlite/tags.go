package sqlite

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/remora-project/remora"
)

const selectTags = `SELECT key, value FROM tags WHERE arn = ?`

// into scans rows of selectTags into a map.
func into(tags map[string]string) func(scanner) error {
	return func(row scanner) error {
		var key, value string
		err := row.Scan(&key, &value)
		tags[key] = value
		return err
	}
}

func (s *Store) Tags(ctx context.Context, arn string) (map[string]string, error) {
	tags := make(map[string]string)
	if err := s.read.rows(ctx, into(tags), selectTags, arn); err != nil {
		return nil, err
	}
	return tags, nil
}

func (s *Store) ChangeTags(ctx context.Context, arn string, change func(map[string]string) error) error {
	return s.writer.change(ctx, func(x *tx) error {
		tags := make(map[string]string)
		if err := x.rows(into(tags), selectTags, arn); err != nil {
			return err
		}
		if err := change(tags); err != nil {
			return err
		}
		return x.putTags(arn, tags)
	})
}

// putTags replaces all tags of a resource.
func (x *tx) putTags(arn string, tags map[string]string) error {
	if err := x.exec(`DELETE FROM tags WHERE arn = ?`, arn); err != nil {
		return err
	}
	for key, value := range tags {
		if err := x.exec(`INSERT INTO tags (arn, key, value) VALUES (?, ?, ?)`, arn, key, value); err != nil {
			return err
		}
	}
	return nil
}

// encodeWanted writes the tags that a listing is restricted to: the same text
// for the same tags.
func encodeWanted(tags map[string]string) (string, error) {
	pairs := make([][2]string, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		pairs = append(pairs, [2]string{key, tags[key]})
	}
	wanted, err := json.Marshal(pairs)
	if err != nil {
		return "", remora.Internalf("store: list", "", "encode the tags: %w", err)
	}
	return string(wanted), nil
}

// carriesWanted is the condition that the resource whose ARN is in a column
// carries all tags of the parameter, which is from encodeWanted.
func carriesWanted(arn string) string {
	return `NOT EXISTS (
		SELECT 1 FROM json_each(?) AS wanted WHERE NOT EXISTS (
			SELECT 1 FROM tags AS t
			WHERE t.arn = ` + arn + ` AND t.key = wanted.value ->> 0 AND t.value = wanted.value ->> 1))`
}
