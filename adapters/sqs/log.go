package sqs

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/smithy-go/logging"
)

// sdkLog writes the log lines of the SDK, which go to stderr by default, to ours.
type sdkLog struct{ *slog.Logger }

var sdkLevels = map[logging.Classification]slog.Level{logging.Debug: slog.LevelDebug, logging.Warn: slog.LevelWarn}

// Logf implements logging.Logger.
func (l sdkLog) Logf(class logging.Classification, format string, v ...any) {
	l.Log(context.Background(), sdkLevels[class], "AWS SDK", "text", fmt.Sprintf(format, v...))
}
