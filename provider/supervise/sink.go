package supervise

import "io"

// Sink takes what a cluster prints. Writer returns a writer for one stream; it
// takes bytes as they come, makes an event of each line, and of what is left at
// Close. Several writers of one stream do not mix within a line. Write never
// blocks on a slow or full disk; Close of a Sink returns when everything that
// was written has been stored.
type Sink interface {
	Writer(group, stream string) io.WriteCloser
	Close() error
}

// OpenSink opens the log store that Spec.LogStore names.
type OpenSink func(logStore string) (Sink, error)
