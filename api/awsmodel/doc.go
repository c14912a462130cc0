// Package awsmodel describes the requests and responses of AWS services to
// their codec, package awsjson. The shapes themselves are generated, a package
// per service: awsmodel/glue and awsmodel/logs.
//
// A structure of the service model is a Go struct, whose fields are in the
// model's order: optional scalars are pointers, times *time.Time, lists slices,
// maps maps, and structures pointers, in lists and maps too. A nil field is an
// absent member; an empty slice or map is a present one. Enumerations are
// strings with constants for the values that the model knows.
//
// The generator reads botocore's copy of the service models, which are data
// under the Apache License. To generate again:
//
//	pip download --no-deps botocore==1.43.117
//	unzip botocore-1.43.117-py3-none-any.whl 'botocore/__init__.py' \
//	    'botocore/data/glue/*' 'botocore/data/logs/*'
//	REMORA_BOTOCORE_DATA=$PWD/botocore/data go generate ./api/awsmodel
//
// What is generated is listed in gen/services.go, and what differs from the
// published models.
package awsmodel

//go:generate go run ./gen -data=$REMORA_BOTOCORE_DATA -out .
