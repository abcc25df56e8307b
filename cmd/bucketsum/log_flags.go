package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/telemetry"
)

// logFlags say which records the log has, and their format.
type logFlags struct {
	level logLevel
	json  bool
}

func (c *logFlags) define(fs *pflag.FlagSet, level slog.Level) {
	c.level = logLevel(level)
	fs.Var(&c.level, "log-level", "debug, info, warn or error")
	fs.Var(&either{&c.json, [2]string{"text", "json"}}, "log-format", "text or json")
}

// logger returns a logger that writes to w. If w is stderr, libraries with a logger of
// their own use it, too.
func (c *logFlags) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.Level(c.level)}
	var h slog.Handler = slog.NewTextHandler(w, options)
	if c.json {
		h = slog.NewJSONHandler(w, options)
	}
	log := slog.New(telemetry.LogHandler(h))
	if w == os.Stderr {
		slog.SetDefault(log)
	}
	return log
}

// logLevel is a flag that is a level as slog names them.
type logLevel slog.Level

func (l *logLevel) Set(text string) error {
	if err := (*slog.Level)(l).UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("unknown %q; valid are %s", text, strings.Join(l.choices(), ", "))
	}
	return nil
}

func (l *logLevel) String() string { return strings.ToLower(slog.Level(*l).String()) }

func (l *logLevel) Type() string { return "level" }

func (l *logLevel) choices() []string { return []string{"debug", "info", "warn", "error"} }
