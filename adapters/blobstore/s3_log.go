package blobstore

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/smithy-go/logging"
)

// s3Log lets the SDK write to our log instead of stderr.
type s3Log struct{ *slog.Logger }

// Logf implements logging.Logger.
func (l s3Log) Logf(class logging.Classification, format string, v ...any) {
	level := slog.LevelWarn
	if class == logging.Debug {
		level = slog.LevelDebug
	}
	l.LogAttrs(context.Background(), level, "AWS SDK", slog.String("text", fmt.Sprintf(format, v...)))
}
