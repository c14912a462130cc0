// Package remora is the domain of a service that runs Ray jobs behind the AWS
// Glue API: jobs, runs, clusters, logs and what they cost, together with the
// seams between the parts that implement them.
//
// Imports point inward: every other package may import this one, and this one
// imports the standard library only. internal/server is the only package that
// knows every concrete type; internal/archtest enforces both rules.
package remora
