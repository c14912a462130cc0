// Package awsjson speaks AWS JSON 1.1: it decodes, validates and encodes the
// generated shapes of package awsmodel, calls the operation, and turns errors
// into the codes that clients of the service know.
package awsjson
