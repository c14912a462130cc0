package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Service is an AWS service, or what speaks its protocol, that jobs reach
// elsewhere: DynamoDB Local, a test stack, a private endpoint of AWS itself.
// There are no keys here, since AWS clients know one pair for all services.
type Service struct {
	Endpoint string `toml:"endpoint"`
}

// serviceName is what a service may be called, once it is lower case.
var serviceName = regexp.MustCompile(`^[a-z0-9]+([ _-][a-z0-9]+)*$`)

// served are the services, by id, that an endpoint cannot be set for.
var served = map[string]string{
	"s3":              "Remora serves S3 itself; an outside S3 is set as s3.endpoint, with its keys",
	"glue":            "Remora serves Glue itself: it is what jobs are started with",
	"sts":             "Remora serves STS itself, so that every job has an identity",
	"cloudwatch-logs": "Remora serves CloudWatch Logs itself: the logs of runs are there",
}

// EndpointVariables returns the endpoints of [aws] under the names of the
// variables that AWS clients read them from: AWS_ENDPOINT_URL_ and the
// service's id, with underscores and in upper case.
func (c Config) EndpointVariables() map[string]string {
	out := make(map[string]string, len(c.AWS))
	for name, s := range c.AWS {
		out[endpointVariable(serviceID(name))] = s.Endpoint
	}
	return out
}

func endpointVariable(id string) string {
	return "AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(id, "-", "_"))
}

// serviceID is a service's id with hyphens and in lower case. People also write
// the name that a boto3 client is made with, which may be another one.
func serviceID(name string) string {
	id := strings.NewReplacer(" ", "-", "_", "-").Replace(strings.ToLower(name))
	if other, ok := clientNames[id]; ok {
		return other
	}
	return id
}

func (c Config) checkServices() error {
	names := make([]string, 0, len(c.AWS))
	for name := range c.AWS {
		names = append(names, name)
	}
	slices.Sort(names)
	seen := map[string]string{}
	for _, name := range names {
		if !serviceName.MatchString(strings.ToLower(name)) {
			return fmt.Errorf("aws.%q is not a service's name: those are letters and digits, such as dynamodb or secrets-manager", name)
		}
		id := serviceID(name)
		if why, ok := served[id]; ok {
			return fmt.Errorf("aws.%q cannot be set: %s", name, why)
		}
		if other, ok := seen[id]; ok {
			return fmt.Errorf("aws.%q and aws.%q are the same service: keep one of them", other, name)
		}
		seen[id] = name
		if err := checkEndpoint(c.AWS[name].Endpoint); err != nil {
			return fmt.Errorf("aws.%q.endpoint %w", name, err)
		}
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return fmt.Errorf("is missing: set it to an address such as http://127.0.0.1:8000")
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.ContainsAny(endpoint, " \t\r\n"):
		return fmt.Errorf("is %q, which is not an address such as http://127.0.0.1:8000", endpoint)
	case u.User != nil:
		return fmt.Errorf("holds a user or a password: AWS clients take keys from elsewhere, and would not send it")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fmt.Errorf("is %q, which has more than a path: leave out what follows ? and #", endpoint)
	}
	return nil
}

// clientNames are the names of boto3 clients that are not their service's id,
// with the id: CLIENT_NAME_TO_HYPHENIZED_SERVICE_ID_OVERRIDES in botocore.utils,
// which compat/test_aws_sdk.py compares it with.
var clientNames = map[string]string{
	"apigateway":                   "api-gateway",
	"application-autoscaling":      "application-auto-scaling",
	"appmesh":                      "app-mesh",
	"autoscaling":                  "auto-scaling",
	"autoscaling-plans":            "auto-scaling-plans",
	"ce":                           "cost-explorer",
	"cloudhsmv2":                   "cloudhsm-v2",
	"cloudsearchdomain":            "cloudsearch-domain",
	"cognito-idp":                  "cognito-identity-provider",
	"config":                       "config-service",
	"cur":                          "cost-and-usage-report-service",
	"datapipeline":                 "data-pipeline",
	"devicefarm":                   "device-farm",
	"directconnect":                "direct-connect",
	"discovery":                    "application-discovery-service",
	"dms":                          "database-migration-service",
	"ds":                           "directory-service",
	"ds-data":                      "directory-service-data",
	"dynamodbstreams":              "dynamodb-streams",
	"elasticbeanstalk":             "elastic-beanstalk",
	"elb":                          "elastic-load-balancing",
	"elbv2":                        "elastic-load-balancing-v2",
	"es":                           "elasticsearch-service",
	"events":                       "eventbridge",
	"globalaccelerator":            "global-accelerator",
	"iot-data":                     "iot-data-plane",
	"iot-jobs-data":                "iot-jobs-data-plane",
	"iotwireless":                  "iot-wireless",
	"kinesisanalytics":             "kinesis-analytics",
	"kinesisanalyticsv2":           "kinesis-analytics-v2",
	"kinesisvideo":                 "kinesis-video",
	"lex-models":                   "lex-model-building-service",
	"lex-runtime":                  "lex-runtime-service",
	"lexv2-models":                 "lex-models-v2",
	"lexv2-runtime":                "lex-runtime-v2",
	"logs":                         "cloudwatch-logs",
	"machinelearning":              "machine-learning",
	"marketplace-entitlement":      "marketplace-entitlement-service",
	"marketplacecommerceanalytics": "marketplace-commerce-analytics",
	"meteringmarketplace":          "marketplace-metering",
	"mgh":                          "migration-hub",
	"resourcegroupstaggingapi":     "resource-groups-tagging-api",
	"route53":                      "route-53",
	"route53domains":               "route-53-domains",
	"s3control":                    "s3-control",
	"sdb":                          "simpledb",
	"secretsmanager":               "secrets-manager",
	"serverlessrepo":               "serverlessapplicationrepository",
	"servicecatalog":               "service-catalog",
	"servicecatalog-appregistry":   "service-catalog-appregistry",
	"sms-voice":                    "pinpoint-sms-voice",
	"stepfunctions":                "sfn",
	"storagegateway":               "storage-gateway",
}
