// Package client calls a running server as the commands of the remora program
// do: AWS JSON 1.1, signed, at the address that the server left in its data
// directory.
package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Client is a server and the credentials to call it with.
type Client struct {
	Endpoint        string // "http://127.0.0.1:4747"
	Region          string
	AccessKeyID     string
	SecretAccessKey string
}

// Error is a refusal by the server.
type Error struct {
	Code    string
	Message string
	Status  int
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Call sends one operation ("Logs_20140328.GetLogEvents") to the service of the
// given signing name and decodes the answer into out, which may be nil.
func (c Client) Call(ctx context.Context, signing, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", operation)
	hash := sha256.Sum256(body)
	creds := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(ctx, creds, req, hex.EncodeToString(hash[:]), signing, c.Region, time.Now()); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the server at %s does not answer: %w", c.Endpoint, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("the server at %s broke off: %w", c.Endpoint, err)
	}
	if resp.StatusCode != http.StatusOK {
		var e struct {
			Type    string `json:"__type"`
			Message string `json:"message"` // matches Message too
		}
		if json.Unmarshal(answer, &e) != nil || e.Type == "" {
			return &Error{Code: resp.Status, Message: strings.TrimSpace(string(answer)), Status: resp.StatusCode}
		}
		return &Error{Code: e.Type, Message: e.Message, Status: resp.StatusCode}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
