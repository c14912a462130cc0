// Package sts answers the one operation of the Security Token Service that
// clients of the Glue API call: GetCallerIdentity, in the AWS Query protocol
// (a form in, XML out).
package sts

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"

	"github.com/remora-project/remora/api/awsjson"
)

// Service is the front door. Account is the 12-digit account it answers with.
type Service struct{ Account string }

// SigningName is the service's name in a signature's scope.
const SigningName = "sts"

const (
	version   = "2011-06-15"
	namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
)

type identityResponse struct {
	XMLName xml.Name `xml:"GetCallerIdentityResponse"`
	XMLNS   string   `xml:"xmlns,attr"`
	Result  struct {
		Arn     string
		UserID  string `xml:"UserId"`
		Account string
	} `xml:"GetCallerIdentityResult"`
	Metadata metadata `xml:"ResponseMetadata"`
}

type errorResponse struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	XMLNS   string   `xml:"xmlns,attr"`
	Error   struct {
		Type    string
		Code    string
		Message string
	}
	RequestID string `xml:"RequestId"`
}

type metadata struct {
	RequestID string `xml:"RequestId"`
}

// Form returns the parameters of a Query request: the body's where there is
// one, otherwise the address's.
func Form(r *http.Request, body []byte) (url.Values, error) {
	if r.Method == http.MethodPost {
		return url.ParseQuery(string(body))
	}
	return r.URL.Query(), nil
}

// Unknown refuses a request for an operation that is not there; nil if it is.
func Unknown(form url.Values) *awsjson.Fault {
	action, v := form.Get("Action"), form.Get("Version")
	switch {
	case action != "GetCallerIdentity":
		return &awsjson.Fault{Code: "InvalidAction", Status: http.StatusBadRequest,
			Message: fmt.Sprintf("Could not find operation %q: of the services with the Query protocol Remora has STS's GetCallerIdentity only", action)}
	case v != "" && v != version:
		return &awsjson.Fault{Code: "InvalidAction", Status: http.StatusBadRequest,
			Message: fmt.Sprintf("Could not find operation %s for version %s", action, v)}
	}
	return nil
}

// Serve answers an authenticated GetCallerIdentity.
func (s Service) Serve(w http.ResponseWriter, r *http.Request) {
	out := identityResponse{XMLNS: namespace, Metadata: metadata{awsjson.RequestID(r.Context())}}
	out.Result.Arn = "arn:aws:iam::" + s.Account + ":root"
	out.Result.UserID = s.Account
	out.Result.Account = s.Account
	write(w, http.StatusOK, out)
}

// Fail answers with an error in the protocol's own shape.
func (s Service) Fail(w http.ResponseWriter, r *http.Request, f *awsjson.Fault) {
	out := errorResponse{XMLNS: namespace, RequestID: awsjson.RequestID(r.Context())}
	out.Error.Type, out.Error.Code, out.Error.Message = "Sender", f.Code, f.Message
	if f.Status >= 500 {
		out.Error.Type = "Receiver"
	}
	write(w, f.Status, out)
}

func write(w http.ResponseWriter, status int, v any) {
	body, err := xml.Marshal(v)
	if err != nil { // the types above always marshal
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	w.Write(body)
}
