package remora

import (
	"maps"
	"testing"
)

func TestRuntimeEnvironment(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  map[string]string
		path []string
		want map[string]string
	}{
		{"nothing", nil, nil, nil},
		{"no path", map[string]string{"A": "a", "PYTHONPATH": ""}, nil, map[string]string{"A": "a", "PYTHONPATH": ""}},
		{"no path, but its own", map[string]string{"PYTHONPATH": "/boot"}, nil, map[string]string{"PYTHONPATH": "/boot"}},
		{"a path only", nil, []string{"/a", "/b"}, map[string]string{"PYTHONPATH": "/a:/b"}},
		{"a path in place of none", map[string]string{"A": "a", "PYTHONPATH": ""}, []string{"/a"}, map[string]string{"A": "a", "PYTHONPATH": "/a"}},
		{"a path behind its own", map[string]string{"PYTHONPATH": "/boot:/more"}, []string{"/a", "/b"}, map[string]string{"PYTHONPATH": "/boot:/more:/a:/b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := Runtime{Env: maps.Clone(tc.env), Path: tc.path}
			got := r.Environment()
			if !maps.Equal(got, tc.want) {
				t.Errorf("the environment is %v, want %v", got, tc.want)
			}
			if got != nil { // it is the caller's
				got["PYTHONPATH"] = "changed"
			}
			if !maps.Equal(r.Env, tc.env) || !maps.Equal(r.Environment(), tc.want) {
				t.Errorf("the runtime has changed: %v, %v", r.Env, r.Environment())
			}
		})
	}
}
