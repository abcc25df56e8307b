package awsenv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Policy is an IAM policy document of an identity or a resource, with the part of the
// policy language that this project's policies use. [ParsePolicy] refuses the rest.
//
// Policies are evaluated here because moto's IAM ignores conditions and the policies
// of queues, and demands actions that AWS does not have (sqs:DeleteMessageBatch,
// s3:HeadBucket).
type Policy struct {
	Version   string
	Statement []Statement
}

// Statement is one statement of a policy.
type Statement struct {
	Sid       string
	Effect    string
	Principal principals `json:",omitempty"`
	Action    list
	Resource  list
	Condition map[string]map[string]list `json:",omitempty"` // values by operator and key
}

// Access is one action on one resource, as IAM checks it against policies.
type Access struct {
	Service  string            // the principal, if that is a service of AWS
	Action   string            // such as s3:GetObject
	Resource string            // ARN
	Context  map[string]string // values of condition keys
}

func (a Access) String() string { return a.Action + " on " + a.Resource }

// ParsePolicy reads a policy document. Anything in it that Matching would ignore is
// an error.
func ParsePolicy(document []byte) (Policy, error) {
	var p Policy
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return Policy{}, fmt.Errorf("policy: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Policy{}, errors.New("policy: there is data after it")
	}
	if p.Version != "2012-10-17" {
		return Policy{}, fmt.Errorf("policy: version %q is not 2012-10-17", p.Version)
	}
	for _, s := range p.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" || len(s.Action) == 0 || len(s.Resource) == 0 {
			return Policy{}, fmt.Errorf("policy: statement %q has no effect, action or resource", s.Sid)
		}
		for operator := range s.Condition {
			if operators[operator] == nil {
				return Policy{}, fmt.Errorf("policy: statement %q has the unknown condition %s", s.Sid, operator)
			}
		}
	}
	return p, nil
}

// Matching returns the statements with an effect, Allow or Deny, that match an
// access.
func (p Policy) Matching(effect string, a Access) []Statement {
	var found []Statement
	for _, s := range p.Statement {
		if s.Effect == effect && s.matches(a) {
			found = append(found, s)
		}
	}
	return found
}

// Without returns a copy of the policy without the given actions.
func (p Policy) Without(actions ...string) Policy {
	less := Policy{Version: p.Version}
	for _, s := range p.Statement {
		s.Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return slices.Contains(actions, a) })
		less.Statement = append(less.Statement, s)
	}
	return less
}

// Allowed reports whether the policies of one account allow an access: at least one
// allows it and none denies it.
func Allowed(a Access, policies ...Policy) bool {
	allowed := false
	for _, p := range policies {
		if len(p.Matching("Deny", a)) > 0 {
			return false
		}
		allowed = allowed || len(p.Matching("Allow", a)) > 0
	}
	return allowed
}

func (s Statement) matches(a Access) bool {
	if s.Principal != nil && !slices.Contains(s.Principal, "*") && (a.Service == "" || !slices.Contains(s.Principal, a.Service)) {
		return false
	}
	action := func(pattern string) bool { return like(strings.ToLower(pattern), strings.ToLower(a.Action)) }
	resource := func(pattern string) bool { return like(pattern, a.Resource) }
	if !slices.ContainsFunc(s.Action, action) || !slices.ContainsFunc(s.Resource, resource) {
		return false
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			value, known := a.Context[key]
			holds := func(want string) bool { return operators[operator](want, value) }
			if !known || !slices.ContainsFunc(values, holds) {
				return false
			}
		}
	}
	return true
}

// operators are the known condition operators. They compare a value of the policy
// with one of the request.
var operators = map[string]func(want, value string) bool{
	"StringEquals": func(want, value string) bool { return want == value },
	"StringLike":   like,
	"ArnEquals":    like, // here no value has a wildcard that could match a colon
	"Bool":         strings.EqualFold,
}

// like reports whether a string matches a pattern, in which * stands for any number
// of characters and ? for one.
func like(pattern, s string) bool {
	for i, rest := range pattern {
		switch rest {
		case '*':
			for j := range len(s) + 1 {
				if like(pattern[i+1:], s[j:]) {
					return true
				}
			}
			return false
		case '?':
			if s == "" {
				return false
			}
		default:
			if !strings.HasPrefix(s, string(rest)) {
				return false
			}
		}
		s = s[min(len(s), len(string(rest))):]
	}
	return s == ""
}

// list is one string or a list of strings in IAM's JSON.
type list []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *list) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// principals are services, or "*" for everyone.
type principals []string

// UnmarshalJSON implements json.Unmarshaler.
func (p *principals) UnmarshalJSON(data []byte) error {
	var all string
	if json.Unmarshal(data, &all) == nil {
		if all != "*" {
			return fmt.Errorf("principal %q", all)
		}
		*p = principals{all}
		return nil
	}
	var services struct{ Service list }
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&services); err != nil {
		return fmt.Errorf("principal: %w", err)
	}
	*p = principals(services.Service)
	return nil
}
