package events

// For the comparison with encoding/json.
var (
	Parts   = parts
	Members = members
)
