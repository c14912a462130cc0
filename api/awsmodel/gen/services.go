package main

// pinned is the release of botocore that the shapes are generated from. To move
// on, change it, generate, and read the difference.
const pinned = "1.43.117"

// service is what to generate of a service model.
type service struct {
	Package    string // the Go package, and its folder below -out
	Model      string // the model's folder below -data
	Operations []string

	// WithoutPattern names string shapes whose pattern is left out, each with the
	// reason: the pattern is stricter than Remora wants to be, or it has no
	// equivalent in Go. A pattern that cannot be translated and is not listed here
	// stops the generator, as does an entry that is no longer needed.
	WithoutPattern map[string]string

	// Amended are members that travel although the published model lacks them, or
	// has them of another shape. One that the model has come to have as it is here
	// stops the generator.
	Amended []amendment
}

// amendment is a member of a structure of the model, of one of the model's own
// shapes.
type amendment struct {
	Structure, Member, Shape string
	Reason                   string
}

const kernelModel = "is in the model that the Jupyter kernel for Glue brings along, and is shown by it"

var services = []service{
	{
		Package: "glue",
		Model:   "glue/2017-03-31",
		Operations: []string{
			"CreateJob", "GetJob", "GetJobs", "ListJobs", "BatchGetJobs", "UpdateJob", "DeleteJob",
			"StartJobRun", "GetJobRun", "GetJobRuns", "BatchStopJobRun",
			"TagResource", "UntagResource", "GetTags",
			"CreateSession", "GetSession", "ListSessions", "StopSession", "DeleteSession",
			"RunStatement", "GetStatement", "ListStatements", "CancelStatement",
		},
		WithoutPattern: map[string]string{
			"PythonVersionString": "admits 2, 3 and 3.9 only, and newer runtimes have newer Pythons",
		},
		Amended: []amendment{
			{"Session", "Timeout", "Timeout", kernelModel},
			{"StatementOutput", "Status", "GenericString", "travels as ok or error, which its enumeration does not have"},
			{"StatementOutputData", "MimeType", "GenericString", kernelModel},
			{"StatementOutputData", "Result", "GenericString", kernelModel},
			{"StatementOutputData", "StdOut", "GenericString", kernelModel},
			{"StatementOutputData", "StdErr", "GenericString", kernelModel},
		},
	},
	{
		Package: "logs",
		Model:   "logs/2014-03-28",
		Operations: []string{
			"CreateLogGroup", "DeleteLogGroup", "CreateLogStream", "DeleteLogStream",
			"DescribeLogGroups", "DescribeLogStreams", "GetLogEvents", "FilterLogEvents", "PutLogEvents",
			"PutRetentionPolicy", "DeleteRetentionPolicy",
		},
	},
}
