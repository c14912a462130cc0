package modules

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/remora-project/remora"
)

func TestFromArguments(t *testing.T) {
	for _, tc := range []struct {
		name string
		args map[string]string
		want Wants
		says string
	}{
		{"nothing", map[string]string{"--name": "x", "pip-install": "without dashes it is no parameter"}, Wants{}, ""},
		{"blank", map[string]string{"--pip-install": " , ,", "--s3-py-modules": "", "--extra-py-files": ",", "--working-dir": "  "}, Wants{}, ""},
		{"a list of requirements", map[string]string{"--pip-install": "a==1, b , ,c>=1,<2,d[x,y],e"},
			Wants{Packages: []string{"a==1", "b", "c>=1,<2", "d[x,y]", "e"}}, "packages a==1, b, c>=1,<2, d[x,y], e"},
		{"each of the conditions", map[string]string{"--pip-install": "a>1, !=2 ,~=3,==4.*, ===5,<=6 , b"},
			Wants{Packages: []string{"a>1,!=2,~=3,==4.*,===5,<=6", "b"}}, "packages a>1,!=2,~=3,==4.*,===5,<=6, b"},
		{"conditions in brackets", map[string]string{"--pip-install": "a (>=1,<2), b[x, y] >= 1, < 2"},
			Wants{Packages: []string{"a (>=1,<2)", "b[x,y] >= 1,< 2"}}, "packages a (>=1,<2), b[x,y] >= 1,< 2"},
		{"a quoted list in a marker", map[string]string{"--pip-install": `a; python_version in "3.10, 3.11", b; sys_platform in 'linux,win32'`},
			Wants{Packages: []string{`a; python_version in "3.10,3.11"`, `b; sys_platform in 'linux,win32'`}},
			`packages a; python_version in "3.10,3.11", b; sys_platform in 'linux,win32'`},
		{"two arguments for packages", map[string]string{"--pip-install": "a", "--additional-python-modules": "b, s3://b/k-1-py3-none-any.whl,s3a://b/d/k.zip"},
			Wants{Packages: []string{"a"}, Additional: []string{"b", "s3://b/k-1-py3-none-any.whl", "s3a://b/d/k.zip"}},
			"packages a, b, s3://b/k-1-py3-none-any.whl, s3a://b/d/k.zip"},
		{"source distributions", map[string]string{"--pip-install": "s3://b/k-1.tar.gz,s3://b/k-1.zip"},
			Wants{Packages: []string{"s3://b/k-1.tar.gz", "s3://b/k-1.zip"}}, "packages s3://b/k-1.tar.gz, s3://b/k-1.zip"},
		{"modules", map[string]string{"--s3-py-modules": "s3://b/k.zip , s3a://b/d/l.whl,"},
			Wants{Modules: []string{"s3://b/k.zip", "s3a://b/d/l.whl"}}, "modules s3://b/k.zip, s3a://b/d/l.whl"},
		{"files", map[string]string{"--extra-py-files": "s3://b/k.py,s3://b/l.zip,s3://b/m.whl"},
			Wants{Files: []string{"s3://b/k.py", "s3://b/l.zip", "s3://b/m.whl"}}, "files s3://b/k.py, s3://b/l.zip, s3://b/m.whl"},
		{"a working directory", map[string]string{"--working-dir": " s3://b/k.zip "}, Wants{WorkingDir: "s3://b/k.zip"}, "working directory s3://b/k.zip"},
		{"all of it", map[string]string{"--pip-install": "a", "--s3-py-modules": "s3://b/k.zip", "--extra-py-files": "s3://b/k.py", "--working-dir": "s3://b/w.zip"},
			Wants{Packages: []string{"a"}, Modules: []string{"s3://b/k.zip"}, Files: []string{"s3://b/k.py"}, WorkingDir: "s3://b/w.zip"},
			"packages a; modules s3://b/k.zip; files s3://b/k.py; working directory s3://b/w.zip"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := FromArguments(tc.args)
			if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("FromArguments returned %+v, %v; want %+v", got, err, tc.want)
			}
			if got.String() != tc.says || got.empty() != (tc.says == "") {
				t.Errorf("it says %q (empty: %t), want %q", got, got.empty(), tc.says)
			}
		})
	}
}

// A refusal names the argument, the value among others, and the rule.
func TestFromArgumentsRefuses(t *testing.T) {
	const onHost, object = "a file has to be an object in S3", "an object has to be a wheel (.whl), a zip of modules or a source distribution"
	const plain, comma, elsewhere = "a list is written plainly", "write a comma between two addresses", "packages come from the package index or from S3"
	for _, tc := range []struct{ argument, list, value, rule string }{
		{"--pip-install", "a,/etc/b.whl", "/etc/b.whl", onHost},
		{"--pip-install", "file:///etc/b.whl", "file:///etc/b.whl", onHost},
		{"--pip-install", "FILE:/etc/b.whl", "FILE:/etc/b.whl", onHost},
		{"--pip-install", "b @ file:///etc/b.whl", "b @ file:///etc/b.whl", onHost},
		{"--pip-install", "b@file:///etc/b.whl", "b@file:///etc/b.whl", onHost},
		{"--pip-install", "b @ /etc/b.whl", "b @ /etc/b.whl", onHost},
		{"--pip-install", "b[x,y]@/etc/b.whl", "b[x,y]@/etc/b.whl", onHost},
		{"--pip-install", "a,s3://b/k.egg", "s3://b/k.egg", object},
		{"--additional-python-modules", "a, /etc/b.whl", "/etc/b.whl", onHost},
		{"--additional-python-modules", "s3://b/k.egg", "s3://b/k.egg", object},
		{"--additional-python-modules", "s3a://b/.whl", "s3a://b/.whl", object},
		{"--additional-python-modules", "s3://b/k.whl/", "s3://b/k.whl/", object},
		{"--s3-py-modules", "s3://b/k.zip,l.zip", "l.zip", "write the s3:// address of a zip with one folder"},
		{"--s3-py-modules", "s3://b/k.py", "s3://b/k.py", "write the s3:// address"},
		{"--s3-py-modules", "https://b/k.zip", "https://b/k.zip", "write the s3:// address"},
		{"--s3-py-modules", "/srv/k.zip", "/srv/k.zip", "write the s3:// address"},
		{"--s3-py-modules", "s3://b/.zip", "s3://b/.zip", "write the s3:// address"},
		{"--s3-py-modules", "s3://b/k.zip/", "s3://b/k.zip/", "write the s3:// address"},
		{"--extra-py-files", "s3://b/k.egg", "s3://b/k.egg", "a Python file (.py), a zip"},
		{"--extra-py-files", "k.py", "k.py", "a Python file (.py), a zip"},
		{"--extra-py-files", "s3://b/.py", "s3://b/.py", "a Python file (.py), a zip"},
		{"--working-dir", "s3://b/k/", "s3://b/k/", "a zip with one folder in it"},
		{"--working-dir", "s3://b/k.zip/", "s3://b/k.zip/", "a zip with one folder in it"},
		{"--working-dir", "/srv/app", "/srv/app", "a zip with one folder in it"},
		{"--working-dir", "s3://b/k.zip,s3://b/l.tgz", "s3://b/k.zip,s3://b/l.tgz", "a zip with one folder in it"},
		{"--working-dir", "s3://b/k.zip,s3a://b/l.zip", "s3://b/k.zip,s3a://b/l.zip", "there is one working directory"},
		{"--working-dir", `["s3://b/k.zip"]`, `[\"s3://b/k.zip\"]`, plain},
		{"--pip-install", `["a", "b"]`, `[\"a\",\"b\"]`, plain},
		{"--pip-install", `"a","b"`, `\"a\"`, plain},
		{"--additional-python-modules", `a,'b==1'`, `'b==1'`, plain},
		{"--s3-py-modules", `["s3://b/k.zip","s3://b/l.zip"]`, `[\"s3://b/k.zip\"`, plain},
		{"--extra-py-files", `"s3://b/k.py"`, `\"s3://b/k.py\"`, plain},
		{"--s3-py-modules", "s3://b/k.zip;s3://b/l.zip", "s3://b/k.zip;s3://b/l.zip", comma},
		{"--extra-py-files", "s3://b/k.py s3a://b/l.zip", "s3://b/k.py s3a://b/l.zip", comma},
		{"--pip-install", "s3://b/k.whl;s3://b/l.whl", "s3://b/k.whl;s3://b/l.whl", comma},
		{"--pip-install", "a,foo @ s3://b/foo.whl", "foo @ s3://b/foo.whl", "write its address alone"},
		{"--additional-python-modules", "foo[x]@s3a://b/foo.whl", "foo[x]@s3a://b/foo.whl", "write its address alone"},
		{"--pip-install", "https://e/foo.whl", "https://e/foo.whl", elsewhere},
		{"--pip-install", "a,foo @ https://e/foo.whl", "foo @ https://e/foo.whl", elsewhere},
		{"--additional-python-modules", "git+ssh:e/foo", "git+ssh:e/foo", elsewhere},
		{"--pip-install", "a,--index-url=x", "--index-url=x", "options of pip cannot be given"},
	} {
		t.Run(tc.argument+" "+tc.list, func(t *testing.T) {
			_, err := FromArguments(map[string]string{tc.argument: tc.list})
			if remora.KindOf(err) != remora.Invalid {
				t.Fatalf("FromArguments returned %v: %v", remora.KindOf(err), err)
			}
			if want := tc.argument + ` has "` + tc.value + `": `; !strings.HasPrefix(remora.MessageOf(err), want) || !strings.Contains(err.Error(), tc.rule) {
				t.Errorf("message %q, want %q and %q", remora.MessageOf(err), want, tc.rule)
			}
		})
	}
}

// Whatever the values: what is accepted is what Prepare can take, and a list
// that is put together again is the same list.
func FuzzFromArguments(f *testing.F) {
	f.Add("a==1, b , ,c>=1,<2,d[x,y],e", "s3://b/k.whl,a", "s3://b/k.zip", "s3://b/k.py,s3://b/l.whl", "s3://b/w.zip")
	f.Add("<1,[,],a[b,c]],d", "a @ file:///x.whl", "s3://b/.zip", "s3a://b/k.py", "")
	f.Add("a;python_version<'3',b", "b@/x.whl", "s3://", ",,", " ")
	f.Add("a (>=1,<2)", "s3://b/k.tar.gz", "s3://b/../k.zip", "s3://b/\x00.py", "s3://b/k.zip/")
	f.Fuzz(func(t *testing.T, pip, additional, modules, files, dir string) {
		args := map[string]string{"--pip-install": pip, "--additional-python-modules": additional, "--s3-py-modules": modules,
			"--extra-py-files": files, "--working-dir": dir}
		for _, list := range []string{pip, additional} {
			parts := SplitRequirements(list)
			if again := SplitRequirements(strings.Join(parts, ",")); !slices.Equal(parts, again) {
				t.Errorf("%q is %q, and then %q", list, parts, again)
			}
		}
		for _, list := range []string{modules, files} {
			parts := split(list)
			if again := split(strings.Join(parts, ",")); !slices.Equal(parts, again) {
				t.Errorf("%q is %q, and then %q", list, parts, again)
			}
		}
		w, err := FromArguments(args)
		if err != nil {
			named := slices.ContainsFunc(Arguments, func(a string) bool { return strings.HasPrefix(remora.MessageOf(err), "--"+a+" has ") })
			if remora.KindOf(err) != remora.Invalid || !named {
				t.Errorf("%v: %v", remora.KindOf(err), err)
			}
			return
		}
		_ = w.String()
		for _, v := range slices.Concat(w.Packages, w.Additional, w.Modules, w.Files) {
			if v == "" || v != strings.TrimSpace(v) {
				t.Errorf("it wants %q", v)
			}
		}
		addresses := slices.Concat(w.Modules, w.Files)
		if w.WorkingDir != "" {
			addresses = append(addresses, w.WorkingDir)
		}
		for _, a := range addresses {
			if !strings.HasPrefix(a, "s3://") && !strings.HasPrefix(a, "s3a://") {
				t.Errorf("%q is wanted from S3", a)
			}
		}
		for _, p := range slices.Concat(w.Packages, w.Additional) {
			if strings.HasPrefix(p, "/") {
				t.Errorf("the file %q is wanted as a package", p)
			}
		}
		again, err := FromArguments(map[string]string{"--pip-install": strings.Join(w.Packages, ","),
			"--additional-python-modules": strings.Join(w.Additional, ","), "--s3-py-modules": strings.Join(w.Modules, ","),
			"--extra-py-files": strings.Join(w.Files, ","), "--working-dir": w.WorkingDir})
		if err != nil || !reflect.DeepEqual(w, again) {
			t.Errorf("%+v is, put together again, %+v (%v)", w, again, err)
		}
	})
}
