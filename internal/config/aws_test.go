package config

import (
	"maps"
	"strings"
	"testing"
)

func TestServices(t *testing.T) {
	c, err := load(t, `
[aws.dynamodb]
endpoint = "http://127.0.0.1:8000"
[aws.redshift-data]
endpoint = "https://redshift.example.com/stage"
[aws.secretsmanager]
endpoint = "http://[::1]:5000/"
[aws."Route 53"]
endpoint = "http://localhost"
[aws.dynamodb_streams]
endpoint = "http://127.0.0.1:8001"
`, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB":         "http://127.0.0.1:8000",
		"AWS_ENDPOINT_URL_REDSHIFT_DATA":    "https://redshift.example.com/stage",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER":  "http://[::1]:5000/",
		"AWS_ENDPOINT_URL_ROUTE_53":         "http://localhost",
		"AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "http://127.0.0.1:8001",
	}
	if got := c.EndpointVariables(); !maps.Equal(got, want) {
		t.Errorf("variables %v, want %v", got, want)
	}
	if none, err := load(t, "", 0o644); err != nil || len(none.EndpointVariables()) != 0 {
		t.Errorf("without a table: %v, %v", none.EndpointVariables(), err)
	}
}

func TestServicesSayWhatIsWrong(t *testing.T) {
	table := func(name, endpoint string) string { return "[aws." + name + "]\nendpoint = \"" + endpoint + "\"\n" }
	const fine = "http://127.0.0.1:8000"
	for _, c := range []struct{ name, text, want string }{
		{"S3", table("s3", fine), "s3.endpoint"},
		{"S3 in capitals", table("S3", fine), "s3.endpoint"},
		{"Glue", table("glue", fine), "serves Glue itself"},
		{"STS", table("sts", fine), "serves STS itself"},
		{"the client of CloudWatch Logs", table("logs", fine), "serves CloudWatch Logs itself"},
		{"the id of CloudWatch Logs", table(`"CloudWatch Logs"`, fine), "serves CloudWatch Logs itself"},
		{"a dot in a name", table(`"dynamodb.local"`, fine), "not a service's name"},
		{"an empty name", table(`""`, fine), "not a service's name"},
		{"a name that would be more variables", table(`"a=b"`, fine), "not a service's name"},
		{"one service twice", table("secretsmanager", fine) + table("secrets-manager", fine), "the same service"},
		{"no endpoint", "[aws.dynamodb]\n", `aws."dynamodb".endpoint is missing`},
		{"a host alone", table("dynamodb", "127.0.0.1:8000"), "not an address"},
		{"another scheme", table("dynamodb", "redis://127.0.0.1:8000"), "not an address"},
		{"no host", table("dynamodb", "http://:8000"), "not an address"},
		{"a space", table("dynamodb", "http://127.0.0.1:8000 "), "not an address"},
		{"a password", table("dynamodb", "http://me:secret@127.0.0.1:8000"), "a user or a password"},
		{"a query", table("dynamodb", fine+"/?a=b"), "more than a path"},
		{"keys of its own", table("dynamodb", fine) + "access_key_id = \"x\"", "access_key_id"},
		{"no table", "[aws]\ndynamodb = \"" + fine + "\"", "line 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.text, 0o600)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
			if strings.Contains(err.Error(), "secret@") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}
