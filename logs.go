package remora

import (
	"context"
	"time"
)

// Logs keeps log events in groups and streams, in the words of CloudWatch Logs.
//
// Within a stream events are in the order of their arrival and their timestamps
// never go back (an event that is stamped earlier than its predecessor gets the
// predecessor's time). Several processes may write to one stream at the same
// time; an Append is atomic. What Append accepted survives the death of any
// process, though not a power cut; a torn write at the end is cut off when the
// stream is opened again.
//
// Errors are *Error: NotFound, AlreadyExists, Invalid, Unavailable (disk full).
type Logs interface {
	CreateGroup(ctx context.Context, name string) error
	DeleteGroup(ctx context.Context, name string) error
	CreateStream(ctx context.Context, group, stream string) error
	DeleteStream(ctx context.Context, group, stream string) error
	// SetRetention keeps a group's events for so many days; 0 is for ever.
	SetRetention(ctx context.Context, group string, days int) error

	// Groups lists groups by name.
	Groups(ctx context.Context, q GroupQuery) ([]LogGroup, Cursor, error)
	// Streams lists a group's streams.
	Streams(ctx context.Context, q StreamQuery) ([]LogStream, Cursor, error)

	// Append adds events to a stream; group and stream are made if they are not
	// there. Messages are stored whole up to MaxMessageBytes and cut there.
	Append(ctx context.Context, group, stream string, events []LogEvent) error
	// Read returns events of one stream from a position.
	Read(ctx context.Context, q ReadQuery) (LogPage, error)
	// Filter returns events of a group's streams, interleaved by time. The work
	// of a call is bounded: it may return fewer events than the limit, even none,
	// together with a cursor to go on from.
	Filter(ctx context.Context, q FilterQuery) ([]LogEvent, Cursor, error)
}

// MaxMessageBytes is CloudWatch Logs' own limit for one event.
const MaxMessageBytes = 256<<10 - 26

// LogGroup describes a group.
type LogGroup struct {
	Name          string
	CreatedOn     time.Time
	RetentionDays int // 0: for ever
	StoredBytes   int64
}

// LogStream describes a stream; the times are zero where it is empty.
type LogStream struct {
	Name       string
	CreatedOn  time.Time
	FirstEvent time.Time
	LastEvent  time.Time
	Ingested   time.Time
	Bytes      int64
}

// LogEvent is one line.
type LogEvent struct {
	ID        string // set by reads: unique in the store, and it sorts like the event
	Stream    string // set by reads
	Timestamp time.Time
	Ingested  time.Time // set by reads
	Message   string    // without the line's end
}

// GroupQuery selects groups.
type GroupQuery struct {
	Prefix   string
	Contains string
	Page     Page
}

// StreamQuery selects streams of a group.
type StreamQuery struct {
	Group      string
	Prefix     string
	ByTime     bool // order by last event time, otherwise by name
	Descending bool
	Page       Page
}

// ReadQuery selects events of one stream: those in [From, To), zero times being
// open ends.
type ReadQuery struct {
	Group, Stream string
	From, To      time.Time
	FromHead      bool   // where no token is given: start with the oldest, otherwise with the newest
	Token         string // a token of an earlier LogPage
	Limit         int
}

// LogPage is a window of a stream, oldest event first. Forward and Backward are
// always set; reading on from Forward at the end of a stream gives no events
// and the same token, until there are more.
type LogPage struct {
	Events            []LogEvent
	Forward, Backward string
}

// FilterQuery selects events of a group in [From, To).
type FilterQuery struct {
	Group        string
	Streams      []string // empty: all
	StreamPrefix string
	From, To     time.Time
	Match        func(message string) bool // nil: all
	Page         Page
}

// Log groups below a LogTarget's prefix, as the original names them.
const (
	ScriptLog     = "script-log"          // stdout and stderr of the driver
	MonitorLog    = "ray-monitor-log"     // the autoscaler
	GCSLogs       = "ray-gcs-logs"        // the global control store
	ProcessLogs   = "ray-process-logs"    // dashboard and agents
	RayletLogs    = "ray-raylet-logs"     // raylets, a stream per node
	WorkerOutLogs = "ray-worker-out-logs" // workers' stdout, a stream per node
	WorkerErrLogs = "ray-worker-err-logs" // workers' stderr, a stream per node
	RuntimeEnvLog = "ray-runtime-env-log" // building of runtime environments
)
