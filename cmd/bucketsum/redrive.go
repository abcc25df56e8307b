package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/deadletters"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

// redriveFlags are the flags of the command.
type redriveFlags struct {
	redrive.Config
	match                             []string
	dryRun, discard, yes, quiet, json bool
	log                               logFlags
}

func newRedrive(p process) *cobra.Command {
	var flags redriveFlags
	c := &cobra.Command{
		Use:   "redrive [flags] --from URL --to URL",
		Short: "send dead letters back to the queue, or show or delete them",
		Long: `
redrive receives the dead letters of --from, prints them grouped by reason, and sends
those that match to --to, as the workers got them. It sends first and deletes after:
if it is killed, no message is lost, and one may be sent twice, which does no harm.

--match selects messages. The same kind twice means either; different kinds must
all hold. reason=TEXT is a part of the reason, in any case, or a reason as the table
prints it; reason= alone means messages without one. bucket=NAME and key=GLOB are of
an object that the message names, and so is object=BUCKET/KEY, the exact name of one.
A glob is as in serve --include. All other
messages are held back until the end and then given back unchanged.

--dry-run shows what lies there and gives everything back. Some queues count that as
a delivery: a queue with a delivery limit drops a message that is looked at too often.

redrive ends when the queue delivers nothing for --wait. A message that is
dead-lettered again meanwhile is not sent a second time. It needs the permission to
receive and delete at --from and to send to --to. It creates no queue, unless the URL
of --to says create=true.

The exit status is 1 if a message that matched was not sent or not deleted, or if the
queue delivers nothing and says that it has messages: others hold them, so try again later.`,
		Example: `
  bucketsum redrive --dry-run --from 'awssqs://sqs.eu-central-1.amazonaws.com/123456789012/failed'
  bucketsum redrive --from 'jetstream://nats/FAILED?consumer=redrive' --to jetstream://nats/OBJECTS
  bucketsum redrive --from 'amqp://rabbit/?queue=failed' --to 'amqp://rabbit/?queue=objects' --match reason=denied --match bucket=photos
  bucketsum redrive --from 'amqp://rabbit/?queue=failed' --discard --match 'key=tmp/**'`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags.define(c.Flags())
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := flags.validate(args); err != nil {
			return usageError{err}
		}
		return runRedrive(c.Context(), p, flags)
	}
	return c
}

func (f *redriveFlags) define(fs *pflag.FlagSet) {
	fs.StringVar(&f.From, "from", "", "URL of the queue with the dead letters; needed")
	fs.StringVar(&f.To, "to", "", "URL of the queue or topic to send them to; needed, except with --dry-run or --discard")
	fs.StringArrayVar(&f.match, "match", nil, "reason=TEXT, bucket=NAME, key=GLOB or object=BUCKET/KEY: leave other messages alone; may be repeated")
	fs.BoolVar(&f.dryRun, "dry-run", false, "only show what lies there")
	fs.BoolVar(&f.discard, "discard", false, "delete the messages instead of sending them; asks at a terminal")
	fs.BoolVar(&f.yes, "yes", false, "with --discard: do not ask")
	fs.IntVar(&f.Limit, "limit", 0, "send or delete at most so many messages; 0: all")
	fs.IntVar(&f.Concurrency, "concurrency", 16, "how many messages are sent at the same time, at most")
	fs.IntVar(&f.Hold, "hold", 10_000, "how many messages are held back at the same time, at most; then redrive ends")
	fs.DurationVar(&f.Wait, "wait", 10*time.Second, "how long the queue must deliver nothing before it counts as empty")
	fs.Var(flagvalue.Either(&f.json, "text", "json"), "format", "text or json: of the report on stdout")
	fs.BoolVar(&f.quiet, "quiet", false, "no progress on stderr")
	f.log.define(fs, slog.LevelWarn)
}

// validate completes the Config and returns all mistakes.
func (f *redriveFlags) validate(args []string) error {
	var faults []error
	if len(args) > 0 {
		faults = append(faults, fmt.Errorf("unexpected argument %q", args[0]))
	}
	switch {
	case f.dryRun:
		f.Action = redrive.Look
	case f.discard:
		f.Action = redrive.Discard
	default:
		f.Action = redrive.Send
	}
	if f.From == "" {
		faults = append(faults, errors.New("--from is missing"))
	} else {
		faults = append(faults, checkQueue("--from", f.From))
	}
	switch {
	case f.To != "" && f.discard:
		faults = append(faults, errors.New("--discard excludes --to"))
	case f.To != "":
		faults = append(faults, checkQueue("--to", f.To))
	case f.Action == redrive.Send:
		faults = append(faults, errors.New("--to is missing"))
	}
	if f.yes && !f.discard {
		faults = append(faults, errors.New("--yes is for --discard"))
	}
	if f.Concurrency < 1 || f.Hold < 1 || f.Limit < 0 || f.Wait <= 0 {
		faults = append(faults, errors.New("--concurrency, --hold and --wait must be more than 0, and --limit not negative"))
	}
	for _, m := range f.match {
		if _, err := redrive.ParseMatch([]string{m}); err != nil {
			faults = append(faults, fmt.Errorf("--match: %w", err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	f.Match, _ = redrive.ParseMatch(f.match)
	f.Drivers = queueDrivers(nil)
	return f.Config.Validate()
}

func runRedrive(ctx context.Context, p process, f redriveFlags) error {
	c := f.Config
	c.Log = f.log.logger(p.stderr)
	c.Decode = events.Decode
	if c.Log.Enabled(ctx, slog.LevelDebug) {
		c.Drivers = queueDrivers(c.Log)
	} // otherwise not: the drivers warn of what matters for queues of events
	if !f.quiet {
		c.Told = func(t redrive.Tally) {
			fmt.Fprintf(p.stderr, "%d received, %d sent, %d discarded, %d failed, %d held back\n", t.Found, t.Sent, t.Discarded, t.Failed, t.Found-t.Sent-t.Discarded)
		}
	}
	if f.discard && !f.dryRun && !f.yes {
		if err := askToDiscard(ctx, p, f, c); err != nil {
			return err
		}
	}
	s, err := redrive.Run(ctx, c)
	if err != nil && s.End == "" {
		return err // it did not begin
	}
	report := f.report(s)
	write := report.Text
	if f.json {
		write = report.JSON
	}
	err = errors.Join(err, write(p.stdout))
	fmt.Fprintln(p.stderr, report.Sentence())
	switch {
	case err != nil:
		return err
	case f.dryRun && s.End != redrive.Interrupted && !s.Hidden(), s.Done():
		return nil
	default:
		return errReported
	}
}

func (f redriveFlags) report(s redrive.Summary) deadletters.Report {
	return deadletters.Report{
		Report: redrive.Report{Summary: s, From: f.From, To: f.To, Action: f.Action}, Filtered: len(f.match) > 0, Now: time.Now(),
	}
}

// askToDiscard shows at the terminal what would be deleted, and wants a yes.
func askToDiscard(ctx context.Context, p process, f redriveFlags, c redrive.Config) error {
	if in, ok := p.stdin.(*os.File); !ok || !term.IsTerminal(int(in.Fd())) {
		return usageErrorf("--discard deletes messages for good; add --yes if you mean that, or look at them with --dry-run")
	}
	c.Action, f.Action = redrive.Look, redrive.Look
	s, err := redrive.Run(ctx, c)
	if err != nil {
		return err
	}
	if err := f.report(s).Text(p.stderr); err != nil {
		return err
	}
	n := s.Total.Matched
	if c.Limit > 0 {
		n = min(n, c.Limit)
	}
	if n == 0 || s.End == redrive.Interrupted {
		return errors.New("nothing matches, and nothing was deleted")
	}
	more := ""
	if s.End == redrive.Full {
		more = "at least "
	}
	fmt.Fprintf(p.stderr, "Delete %s%d messages for good? [y/N] ", more, n)
	answer, _ := bufio.NewReader(p.stdin).ReadString('\n') // the end of the input is a no
	if !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return errors.New("nothing was deleted")
	}
	return nil
}
