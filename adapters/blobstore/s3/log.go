package s3

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/smithy-go/logging"
)

// sdkLog lets the SDK write to our log instead of stderr.
type sdkLog struct{ *slog.Logger }

func (l sdkLog) Logf(class logging.Classification, format string, v ...any) {
	level := slog.LevelWarn
	if class == logging.Debug {
		level = slog.LevelDebug
	}
	l.LogAttrs(context.Background(), level, "AWS SDK", slog.String("text", fmt.Sprintf(format, v...)))
}
