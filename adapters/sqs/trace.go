package sqs

import (
	"cmp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/pipeline"
)

// traced adds the trace that AWS X-Ray put on the message on its way, as traceparent.
// A traceparent of the sender's own wins.
func traced(metadata, system map[string]string) {
	if _, own := metadata[pipeline.MetadataTraceparent]; own {
		return
	}
	const header = string(types.MessageSystemAttributeNameAWSTraceHeader)
	// Some senders cannot set the queue's attribute and use one of their own.
	if parent := traceparent(cmp.Or(system[header], metadata[header])); parent != "" {
		metadata[pipeline.MetadataTraceparent] = parent
	}
}

// traceparent translates a trace header of X-Ray into the form of W3C's Trace Context,
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader:
// a trace is 1-, 8 digits for its time, and 24. It is empty if the header names no
// parent segment.
func traceparent(header string) string {
	var trace, parent string
	flags := "00"
	for field := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Root":
			parts := strings.Split(value, "-")
			if len(parts) == 3 && parts[0] == "1" && len(parts[1]) == 8 {
				trace = parts[1] + parts[2]
			}
		case "Parent":
			parent = value
		case "Sampled":
			if value == "1" {
				flags = "01"
			}
		}
	}
	if !isID(trace, 32) || !isID(parent, 16) {
		return ""
	}
	return "00-" + trace + "-" + parent + "-" + flags
}

// isID reports whether s is n lower-case hexadecimal digits that are not all zero.
func isID(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == "" && strings.Trim(s, "0") != ""
}
