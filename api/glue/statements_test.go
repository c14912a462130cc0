package glue

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"

	"github.com/remora-project/remora"
	"github.com/remora-project/remora/api/awsjson"
)

func TestModelStatement(t *testing.T) {
	at := time.UnixMilli(1700000000123)
	tests := []struct {
		name string
		st   remora.Statement
		want string // the members beside Id and Code
	}{
		{"waiting", remora.Statement{State: remora.StatementWaiting}, `"State":"WAITING","Progress":0`},
		{"running", remora.Statement{State: remora.StatementRunning, StartedOn: at, Progress: 0.5, Output: &remora.Output{Text: "so far\n"}},
			`"State":"RUNNING","Output":{"Data":{"TextPlain":"so far\n"}},"Progress":0.5,"StartedOn":1700000000123`},
		{"text", remora.Statement{State: remora.StatementAvailable, StartedOn: at, CompletedOn: at.Add(time.Second), Progress: 1,
			Output: &remora.Output{Text: "2", StdErr: "ignored without a picture"}},
			`"State":"AVAILABLE","Output":{"Data":{"TextPlain":"2"},"ExecutionCount":7,"Status":"ok"},` +
				`"Progress":1,"StartedOn":1700000000123,"CompletedOn":1700000001123`},
		{"silence", remora.Statement{State: remora.StatementAvailable},
			`"State":"AVAILABLE","Output":{"Data":{"TextPlain":""},"ExecutionCount":7,"Status":"ok"},"Progress":0`},
		{"picture", remora.Statement{State: remora.StatementAvailable,
			Output: &remora.Output{Text: "out\n<Figure>", MimeType: "image/png", Result: "iVBOR", StdOut: "out", StdErr: "err"}},
			`"State":"AVAILABLE","Output":{"Data":{"TextPlain":"out\n<Figure>","MimeType":"image/png","Result":"iVBOR","StdOut":"out","StdErr":"err"},` +
				`"ExecutionCount":7,"Status":"ok"},"Progress":0`},
		{"a picture alone", remora.Statement{State: remora.StatementAvailable, Output: &remora.Output{MimeType: "image/png", Result: "iVBOR"}},
			`"State":"AVAILABLE","Output":{"Data":{"TextPlain":"","MimeType":"image/png","Result":"iVBOR","StdOut":"","StdErr":""},` +
				`"ExecutionCount":7,"Status":"ok"},"Progress":0`},
		{"a Python error", remora.Statement{State: remora.StatementAvailable,
			Output: &remora.Output{Text: "before", ErrorName: "ValueError", Error: "bad", Traceback: []string{"a", "b"}}},
			`"State":"AVAILABLE","Output":{"Data":{"TextPlain":"before"},"ExecutionCount":7,"Status":"error","ErrorName":"ValueError",` +
				`"ErrorValue":"bad","Traceback":["a","b"]},"Progress":0`},
		{"an error without a word", remora.Statement{State: remora.StatementAvailable, Output: &remora.Output{ErrorName: "KeyboardInterrupt"}},
			`"State":"AVAILABLE","Output":{"Data":{"TextPlain":""},"ExecutionCount":7,"Status":"error","ErrorName":"KeyboardInterrupt",` +
				`"ErrorValue":"","Traceback":[]},"Progress":0`},
		{"cancelled while it waited", remora.Statement{State: remora.StatementCancelled},
			`"State":"CANCELLED","Output":{"Data":{"TextPlain":""},"ExecutionCount":7,"Status":"error","ErrorName":"","ErrorValue":"",` +
				`"Traceback":[]},"Progress":0`},
		{"the session died", remora.Statement{State: remora.StatementErrored,
			Output: &remora.Output{ErrorName: "SessionEnded", Error: "out of memory"}},
			`"State":"ERROR","Output":{"Data":{"TextPlain":""},"ExecutionCount":7,"Status":"error","ErrorName":"SessionEnded",` +
				`"ErrorValue":"out of memory","Traceback":[]},"Progress":0`},
	}
	for _, test := range tests {
		test.st.ID, test.st.Code = 7, "code"
		got, err := awsjson.Encode(modelStatement(test.st))
		if want := `{"Id":7,"Code":"code",` + test.want + `}`; err != nil || string(got) != want {
			t.Errorf("%s: got\n%s, %v, want\n%s", test.name, got, err, want)
		}
	}
}

func TestStatementsOverTheWire(t *testing.T) {
	b := newBed(t)
	b.in("one", remora.SessionReady)
	if n := b.ran("one", remora.StatementRunning, remora.StatementAvailable); n != 1 {
		t.Errorf("the first statement is %d", n)
	}
	b.setStatement("one", 1, func(st *remora.Statement) {
		st.Output = &remora.Output{Text: "out", MimeType: "image/png", Result: "iVBOR", StdOut: "out"}
	})
	out, err := b.GetStatement(t.Context(), &glue.GetStatementInput{SessionId: aws.String("one"), Id: 1})
	if err != nil || string(out.Statement.Output.Status) != "ok" || *out.Statement.Output.Data.TextPlain != "out" {
		t.Errorf("got %+v, %v", out, err)
	}
	var whole struct {
		Statement struct {
			Output struct{ Data map[string]string }
		}
	}
	if err := json.Unmarshal([]byte(b.wire("GetStatement", `{"SessionId":"one","Id":1}`)), &whole); err != nil {
		t.Fatal(err)
	}
	if d := whole.Statement.Output.Data; len(d) != 5 || d["MimeType"] != "image/png" || d["Result"] != "iVBOR" || d["StdOut"] != "out" {
		t.Errorf("a client that knows pictures sees %v", d)
	}
}

// What a session's state allows.
func TestStatementsByStateOfTheSession(t *testing.T) {
	b := newBed(t)
	const unavailable = "unavailable, fail to call ReplServer."
	tests := []struct {
		id     string
		states []remora.SessionState
	}{
		{"new", nil},
		{"stopping", []remora.SessionState{remora.SessionReady, remora.SessionStopping}},
		{"stopped", []remora.SessionState{remora.SessionReady, remora.SessionStopping, remora.SessionStopped}},
		{"failed", []remora.SessionState{remora.SessionFailed}},
		{"timed out", []remora.SessionState{remora.SessionReady, remora.SessionTimedOut}},
	}
	for _, test := range tests {
		b.in(test.id, test.states...)
		state := remora.SessionProvisioning
		if n := len(test.states); n > 0 {
			state = test.states[n-1]
		}
		_, err := b.RunStatement(t.Context(), &glue.RunStatementInput{SessionId: &test.id, Code: aws.String("1")})
		b.refused(err, "InvalidInputException", fmt.Sprintf("Session is not ready, session_id=%s, status=%s", test.id, state))

		_, get := b.GetStatement(t.Context(), &glue.GetStatementInput{SessionId: &test.id, Id: 1})
		_, list := b.ListStatements(t.Context(), &glue.ListStatementsInput{SessionId: &test.id})
		_, cancel := b.CancelStatement(t.Context(), &glue.CancelStatementInput{SessionId: &test.id, Id: 1})
		if state == remora.SessionProvisioning {
			for _, err := range []error{get, list, cancel} {
				b.refused(err, "IllegalSessionStateException", unavailable)
			}
			continue
		}
		if list != nil {
			t.Errorf("%s: list: %v", test.id, list)
		}
		for _, err := range []error{get, cancel} {
			b.refused(err, "EntityNotFoundException", fmt.Sprintf("Statement 1 of session %s not found.", test.id))
		}
	}
}

func TestStatementsOfUnknownSessions(t *testing.T) {
	b := newBed(t)
	id := aws.String("none")
	_, run := b.RunStatement(t.Context(), &glue.RunStatementInput{SessionId: id, Code: aws.String("1")})
	_, get := b.GetStatement(t.Context(), &glue.GetStatementInput{SessionId: id, Id: 1})
	_, list := b.ListStatements(t.Context(), &glue.ListStatementsInput{SessionId: id})
	_, cancel := b.CancelStatement(t.Context(), &glue.CancelStatementInput{SessionId: id, Id: 1})
	for _, err := range []error{run, get, list, cancel} {
		b.refused(err, "EntityNotFoundException", "Session none not found.")
	}
}

func TestCancelStatement(t *testing.T) {
	b := newBed(t)
	id := aws.String(b.in("one", remora.SessionReady))
	ended := b.ran("one", remora.StatementRunning, remora.StatementAvailable)
	if _, err := b.CancelStatement(t.Context(), &glue.CancelStatementInput{SessionId: id, Id: ended}); err != nil {
		t.Errorf("cancel what has ended: %v", err)
	}
	if st, err := b.store.Statement(t.Context(), "one", int(ended)); err != nil || st.State != remora.StatementAvailable {
		t.Errorf("then it is %s, %v", st.State, err)
	}
	for _, unknown := range []int32{0, -1, ended + 1, 1<<31 - 1} {
		_, err := b.CancelStatement(t.Context(), &glue.CancelStatementInput{SessionId: id, Id: unknown})
		b.refused(err, "EntityNotFoundException", fmt.Sprintf("Statement %d of session one not found.", unknown))
		_, err = b.GetStatement(t.Context(), &glue.GetStatementInput{SessionId: id, Id: unknown})
		b.refused(err, "EntityNotFoundException", fmt.Sprintf("Statement %d of session one not found.", unknown))
	}
}

func TestLengthOfCode(t *testing.T) {
	b := newBed(t)
	id := aws.String(b.in("one", remora.SessionReady))
	longest := strings.Repeat("ä", 68000) // characters, not bytes
	if _, err := b.RunStatement(t.Context(), &glue.RunStatementInput{SessionId: id, Code: &longest}); err != nil {
		t.Errorf("68,000 characters: %v", err)
	}
	longer := longest + "x"
	_, err := b.RunStatement(t.Context(), &glue.RunStatementInput{SessionId: id, Code: &longer})
	b.refused(err, "ValidationException", "at 'code' failed to satisfy constraint: Member must have length less than or equal to 68000")
}

func TestPagesOfStatements(t *testing.T) {
	b := newBed(t)
	const count = 2*statementPage + 1
	id := aws.String(b.in("one", remora.SessionReady))
	b.in("two", remora.SessionReady)
	var want []int32
	for range count {
		want = append(want, b.ran("one"))
	}
	var got []int32
	var sizes []int
	var token *string
	for {
		page, err := b.ListStatements(t.Context(), &glue.ListStatementsInput{SessionId: id, NextToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range page.Statements {
			got = append(got, st.Id)
		}
		sizes = append(sizes, len(page.Statements))
		if token = page.NextToken; token == nil {
			break
		}
		_, err = b.ListStatements(t.Context(), &glue.ListStatementsInput{SessionId: aws.String("two"), NextToken: token})
		b.refused(err, "InvalidInputException", "paging token")
	}
	if !slices.Equal(got, want) || want[0] != 1 || want[count-1] != count || fmt.Sprint(sizes) != "[100 100 1]" {
		t.Errorf("pages of %v give %v, want %v", sizes, got, want)
	}
}

// The kernel prints name and value of an error with a colon between them: that
// has to be all that the user is to see.
func TestTellKernel(t *testing.T) {
	for _, c := range []struct {
		text      string
		traceback []string
		want      string
	}{
		{"", nil, "ValueError: x"},
		{"said\n", []string{"Traceback (most recent call last):", `  File "<cell 1>", line 1`, "ValueError: a: b"},
			"said\nTraceback (most recent call last):\n  File \"<cell 1>\", line 1\nValueError: a: b"},
		{"said", []string{"KeyError: 'x'"}, "said\nKeyError: 'x'"},
		{"", []string{"Traceback:", "KeyboardInterrupt"}, "Traceback:\nKeyboardInterrupt: "},
	} {
		m := modelOutput(remora.Statement{ID: 1, State: remora.StatementAvailable,
			Output: &remora.Output{Text: c.text, ErrorName: "ValueError", Error: "x", Traceback: c.traceback}})
		tellKernel(m)
		if got := *m.ErrorName + ": " + *m.ErrorValue; got != c.want {
			t.Errorf("the kernel prints %q, want %q", got, c.want)
		}
	}
}
