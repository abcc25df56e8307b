package flagvalue

import (
	"log/slog"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

// LogLevel is a level as slog names them.
type LogLevel slog.Level

func (l *LogLevel) Set(text string) error {
	if err := (*slog.Level)(l).UnmarshalText([]byte(text)); err != nil {
		return suggest.Unknown("level", text, l.Choices())
	}
	return nil
}

func (l *LogLevel) String() string { return strings.ToLower(slog.Level(*l).String()) }

func (l *LogLevel) Type() string { return "level" }

func (l *LogLevel) Choices() []string { return []string{"debug", "info", "warn", "error"} }
