package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/telemetry"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
)

// logFlags say which records the log has, and their format.
type logFlags struct {
	level flagvalue.LogLevel
	json  bool
}

func (c *logFlags) define(fs *pflag.FlagSet, level slog.Level) {
	c.level = flagvalue.LogLevel(level)
	fs.Var(&c.level, "log-level", "debug, info, warn or error")
	fs.Var(flagvalue.Either(&c.json, "text", "json"), "log-format", "text or json")
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
