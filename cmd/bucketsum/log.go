package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/telemetry"
)

type logConfig struct{ level, format string }

func (c *logConfig) flags(fs *pflag.FlagSet, level string) {
	fs.StringVar(&c.level, "log-level", level, "debug, info, warn or error")
	fs.StringVar(&c.format, "log-format", "text", "text or json")
}

func (c *logConfig) validate() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.level)); err != nil {
		return fmt.Errorf("--log-level: unknown %q; valid are debug, info, warn, error", c.level)
	}
	if c.format != "text" && c.format != "json" {
		return fmt.Errorf("--log-format: unknown %q; valid are text, json", c.format)
	}
	return nil
}

// logger returns a logger of a valid configuration. If it is that of the whole process,
// libraries that log by themselves go through it, too.
func (c *logConfig) logger(w io.Writer) *slog.Logger {
	log := slog.New(c.handler(w))
	if w == os.Stderr {
		slog.SetDefault(log)
	}
	return log
}

func (c *logConfig) handler(w io.Writer) slog.Handler {
	options := &slog.HandlerOptions{}
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.level)) // valid
	options.Level = level
	var h slog.Handler = slog.NewTextHandler(w, options)
	if c.format == "json" {
		h = slog.NewJSONHandler(w, options)
	}
	return telemetry.LogHandler(h)
}
