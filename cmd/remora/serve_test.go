package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/remora-project/remora/internal/client"
	"github.com/remora-project/remora/internal/testenv"
)

// variables evaluates the output of `remora env` with sh.
func variables(t *testing.T, s *testenv.Server, more ...string) map[string]string {
	t.Helper()
	script := `out="$("$0" env --data-dir "$1")" && eval "$out" && env`
	cmd := exec.Command("sh", "-c", script, testenv.Remora(t), s.Ready.DataDir)
	cmd.Env = append(s.Env, more...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("eval remora env: %v", err)
	}
	vars := map[string]string{}
	for line := range strings.Lines(string(out)) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		vars[k] = v
	}
	return vars
}

// call asks the API for its jobs with the variables of `remora env`.
func call(vars map[string]string) error {
	c := client.Client{Endpoint: vars["AWS_ENDPOINT_URL"], Region: vars["AWS_REGION"], AccessKeyID: vars["AWS_ACCESS_KEY_ID"],
		SecretAccessKey: vars["AWS_SECRET_ACCESS_KEY"]}
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Deadline)
	defer cancel()
	return c.Call(ctx, "glue", "AWSGlue.GetJobs", map[string]any{}, nil)
}

func TestEnv(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's a $(folder) \"of\" mine")
	s := testenv.Serve(t, dir, testenv.Environ(t))
	if s.Ready.DataDir != dir || s.Ready.PID == 0 {
		t.Errorf("the ready file says %+v", s.Ready)
	}
	vars := variables(t, s, "AWS_SESSION_TOKEN=other", "AWS_PROFILE=other")
	for name, want := range map[string]string{"AWS_ENDPOINT_URL": s.Ready.Endpoint, "AWS_ENDPOINT_URL_S3": s.Ready.S3Endpoint,
		"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"} {
		if vars[name] != want {
			t.Errorf("%s is %q, want %q", name, vars[name], want)
		}
	}
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		if v, set := vars[name]; set {
			t.Errorf("%s is still %q", name, v)
		}
	}
	if err := call(vars); err != nil {
		t.Errorf("a request with these variables: %v", err)
	}
}

// Quotes in values must not break out of the shell's quoting. Ours never have
// any, an outside S3's keys may.
func TestEnvIsQuoted(t *testing.T) {
	dir := t.TempDir()
	secret := `it's "$(touch ` + dir + `/broken)" \n`
	config := filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("[s3]\nendpoint = \"http://127.0.0.1:9\"\naccess_key_id = \"AKIDEXAMPLE\"\nsecret_access_key = %q\n", secret)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := testenv.Serve(t, filepath.Join(dir, "data"), testenv.Environ(t, "REMORA_CONFIG="+config))
	vars := variables(t, s)
	if vars["AWS_SECRET_ACCESS_KEY"] != secret || vars["AWS_ENDPOINT_URL_S3"] != "http://127.0.0.1:9" {
		t.Errorf("secret %q, want %q; S3 at %s", vars["AWS_SECRET_ACCESS_KEY"], secret, vars["AWS_ENDPOINT_URL_S3"])
	}
	if _, err := os.Stat(filepath.Join(dir, "broken")); err == nil {
		t.Error("a value was executed by the shell")
	}
	if err := call(vars); err != nil {
		t.Errorf("a request with the outside keys: %v", err)
	}
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	s := testenv.Serve(t, dir, testenv.Environ(t))
	former := variables(t, s)
	id := former["AWS_ACCESS_KEY_ID"]
	keys := func(args ...string) testenv.Result {
		t.Helper()
		return testenv.Run(t, s.Env, append([]string{"keys", "--data-dir", dir}, args...)...)
	}
	r := want(t, keys(), 0, id)
	if strings.Contains(r.Stdout, former["AWS_SECRET_ACCESS_KEY"]) {
		t.Error("the list shows a secret")
	}
	want(t, keys("rotate", "--grace", "1h"), 0, "1h")
	current := variables(t, s)
	if current["AWS_ACCESS_KEY_ID"] == id {
		t.Error("the key is the same after its rotation")
	}
	for _, vars := range []map[string]string{former, current} {
		if err := call(vars); err != nil {
			t.Errorf("key %s: %v", vars["AWS_ACCESS_KEY_ID"], err)
		}
	}
	want(t, keys("list"), 0, id, current["AWS_ACCESS_KEY_ID"])
	want(t, keys("revoke", id), 0, id+" is no longer valid")
	refused := func() bool {
		var e *client.Error
		return errors.As(call(former), &e) && e.Code == "UnrecognizedClientException"
	}
	eventually(t, refused, "the revoked key %s is still accepted", id)
	if err := call(current); err != nil {
		t.Errorf("the current key: %v", err)
	}
	want(t, keys("revoke", "AKIDNONSENSE"), 1, "AKIDNONSENSE")
}

func eventually(t *testing.T, cond func() bool, what string, args ...any) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(testenv.Deadline); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("after %s: %s", testenv.Deadline, fmt.Sprintf(what, args...))
		}
	}
}

func TestSecondServerIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := testenv.Serve(t, dir, testenv.Environ(t))
	want(t, testenv.Run(t, s.Env, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0"), 1,
		"another server (process "+strconv.Itoa(s.Ready.PID)+") is running on "+dir, "--data-dir")
	if err := call(variables(t, s)); err != nil {
		t.Errorf("the first server: %v", err)
	}
}

func TestPortIsTaken(t *testing.T) {
	taken := listen(t)
	env := testenv.Environ(t)
	dir := t.TempDir()
	want(t, testenv.Run(t, env, "serve", "--data-dir", dir, "--listen", taken, "--s3-listen", "127.0.0.1:0"), 1, taken, "address already in use", "--listen")
	want(t, testenv.Run(t, env, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--s3-listen", taken), 1, taken, "address already in use", "--s3-listen")
	testenv.Serve(t, dir, env) // nothing was left locked
}

func TestSIGTERM(t *testing.T) {
	dir := t.TempDir()
	s := testenv.Serve(t, dir, testenv.Environ(t))
	if code, log := s.Stop(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
	if r := testenv.Run(t, s.Env, "env", "--data-dir", dir); r.Code != 1 {
		t.Errorf("remora env after the server's end: exit code %d, %s", r.Code, r.Stdout)
	}
	if _, err := os.Stat(s.ReadyFile); err == nil {
		t.Error("the ready file is left")
	}
}

// Who restarts a server finds everything as it was: the addresses, the keys.
func TestSIGKILL(t *testing.T) {
	dir := t.TempDir()
	first := testenv.Serve(t, dir, testenv.Environ(t))
	before := variables(t, first)
	first.Kill()
	want(t, testenv.Run(t, first.Env, "env", "--data-dir", dir), 1, "no server is running")
	second := testenv.Serve(t, dir, first.Env)
	if second.Ready.Endpoint != first.Ready.Endpoint || second.Ready.S3Endpoint != first.Ready.S3Endpoint {
		t.Errorf("the addresses are %+v, before %+v", second.Ready, first.Ready)
	}
	if err := call(before); err != nil {
		t.Errorf("a request with the variables from before: %v", err)
	}
}

// Commands may look for the server while it starts; looking must not keep it
// from starting.
func TestEnvWhileTheServerStarts(t *testing.T) {
	dir := t.TempDir()
	env := testenv.Environ(t)
	testenv.Serve(t, dir, env).Kill()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				testenv.Run(t, env, "env", "--data-dir", dir)
			}
		}
	}()
	for range 5 {
		testenv.Serve(t, dir, env).Kill()
	}
	close(stop)
	<-done
}
