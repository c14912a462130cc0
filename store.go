package remora

import "context"

// Store keeps jobs, runs and tags durably: when a call that changes something
// returns nil, the change survives kill -9 and a power cut. Each call is one
// transaction; calls may be made from any goroutine.
//
// A page of a listing ends before its limit where what is stored of its entries
// would be more than 8 MiB; it has one entry at least, if there are any left.
//
// The functions that callers pass in (admit, change) run inside the transaction:
// they must be quick and must not call the store.
//
// Errors are *Error: NotFound, AlreadyExists, WrongState, InvalidPageToken,
// Unavailable (a full disk, a lock that could not be had in time, an ended
// context) or Internal.
type Store interface {
	// CreateJob stores a new job and its tags. AlreadyExists if the name is taken.
	CreateJob(ctx context.Context, j Job, arn string, tags map[string]string) error
	// Job returns one job; NotFound.
	Job(ctx context.Context, name string) (Job, error)
	// Jobs returns those of the named jobs that exist, in the order of names.
	Jobs(ctx context.Context, names []string) ([]Job, error)
	// ListJobs returns jobs in the order of their creation. With tags, only jobs
	// that carry every one of them.
	ListJobs(ctx context.Context, tags map[string]string, p Page) ([]Job, Cursor, error)
	// UpdateJob loads a job, applies change and stores the result, which keeps
	// its name and CreatedOn. An error from change is returned and nothing is stored.
	UpdateJob(ctx context.Context, name string, change func(*Job) error) (Job, error)
	// DeleteJob removes a job and its tags; its runs stay. NotFound.
	DeleteJob(ctx context.Context, name, arn string) error

	// CreateRun stores a new run. admit is called inside the transaction with the
	// number of the job's active runs (RunState.Active) and its waiting ones, and
	// returns the state to store the run in, or an error to refuse it: of two
	// calls at the same moment the second one sees the first one's run.
	CreateRun(ctx context.Context, r Run, admit func(active, waiting int) (RunState, error)) (Run, error)
	// Run returns one run of a job; NotFound. An empty jobName matches any job.
	Run(ctx context.Context, jobName, id string) (Run, error)
	// ListRuns returns a job's runs, newest first, at constant cost per page.
	ListRuns(ctx context.Context, jobName string, p Page) ([]Run, Cursor, error)
	// OpenRuns returns every run that has not ended, oldest first.
	OpenRuns(ctx context.Context) ([]Run, error)
	// ChangeRun loads a run, applies change and stores the result together with
	// successor, a further run to create in the same transaction, where change
	// returns one. Where the state changes, WrongState unless
	// RunState.CanBecome allows it. An error from change is returned and nothing
	// is stored. ID, JobName, StartedOn and Arguments never change.
	ChangeRun(ctx context.Context, id string, change func(*Run) (successor *Run, err error)) (Run, error)
	// PromoteRun takes the job's oldest waiting run to Starting if fewer than
	// limit runs are active, and returns it; ok is false if there was none to take.
	PromoteRun(ctx context.Context, jobName string, limit int) (r Run, ok bool, err error)

	// Tags returns the tags of a resource; an empty map if it has none.
	Tags(ctx context.Context, arn string) (map[string]string, error)
	// ChangeTags loads a resource's tags, applies change and stores the result.
	ChangeTags(ctx context.Context, arn string, change func(map[string]string) error) error

	Close() error
}

// Cursor is a position in a listing, opaque to callers; "" is the beginning,
// and as a result it says that there is nothing more. A cursor stays valid
// while entries come and go: it neither repeats nor skips an entry that was
// there all the time.
type Cursor string

// Page asks for at most Limit entries after a position.
type Page struct {
	After Cursor
	Limit int // at least 1
}

// SessionStore keeps sessions and statements, under the rules of Store.
type SessionStore interface {
	// CreateSession stores a new session and its tags. admit is called inside the
	// transaction with the number of sessions that are not closed; an error
	// refuses the session. AlreadyExists if the id is taken, before admit.
	CreateSession(ctx context.Context, s Session, arn string, tags map[string]string, admit func(open int) error) error
	// Session returns one session; NotFound.
	Session(ctx context.Context, id string) (Session, error)
	// ListSessions returns sessions, newest first. With tags, only sessions that
	// carry every one of them.
	ListSessions(ctx context.Context, tags map[string]string, p Page) ([]Session, Cursor, error)
	// OpenSessions returns every session that is not closed, oldest first.
	OpenSessions(ctx context.Context) ([]Session, error)
	// ChangeSession loads a session, applies change and stores the result. Where
	// the state changes, WrongState unless SessionState.CanBecome allows it. An
	// error from change is returned and nothing is stored. ID, Plan, CreatedOn and
	// Document never change, and Closed never goes back.
	ChangeSession(ctx context.Context, id string, change func(*Session) error) (Session, error)
	// DeleteSession removes a session with its statements and the tags of arn.
	// check is called inside the transaction; an error keeps the session. NotFound.
	DeleteSession(ctx context.Context, id, arn string, check func(Session) error) error

	// CreateStatement stores a statement as WAITING with the session's next id,
	// the first being 1. admit is called inside the transaction with the session
	// and the number of its statements that have not ended. NotFound.
	CreateStatement(ctx context.Context, sessionID, code string, admit func(s Session, open int) error) (Statement, error)
	// Statement returns one statement; NotFound, also if the session is.
	Statement(ctx context.Context, sessionID string, id int) (Statement, error)
	// ListStatements returns a session's statements in the order of their ids, at
	// constant cost per page. A session that is not there has none.
	ListStatements(ctx context.Context, sessionID string, p Page) ([]Statement, Cursor, error)
	// OpenStatements returns a session's statements that have not ended, in the
	// order of their ids.
	OpenStatements(ctx context.Context, sessionID string) ([]Statement, error)
	// ChangeStatement is ChangeSession for a statement, of which SessionID, ID and
	// Code never change.
	ChangeStatement(ctx context.Context, sessionID string, id int, change func(*Statement) error) (Statement, error)
}
