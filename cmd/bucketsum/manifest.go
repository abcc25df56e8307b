package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/handover"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/pass"
	"github.com/bucketsum/bucketsum/pipeline/attestation"
	"github.com/bucketsum/bucketsum/pipeline/manifest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// manifestFlags are the flags of the command.
type manifestFlags struct {
	sweepFlags
	out          handover.Config // flags set these fields directly
	format       string
	allowMissing bool
	sign         string
	verify, key  string
}

func newManifest(p process) *cobra.Command {
	flags := manifestFlags{format: "md5sum"}
	c := &cobra.Command{
		Use:   "manifest [flags] [NAME=]BUCKET-URL",
		Short: "write one list of all checksums, from the records",
		Long: `
manifest lists the bucket, looks at the record of each object, and writes one list,
sorted by key. It reads no object and changes nothing. The list is on standard output, or
in --output, where it appears only when it is complete. The URL of a folder may be its
path.

The formats md5sum, sha1sum, sha256sum, sha512sum and b3sum are those of these tools,
which check the list after a download: md5sum --check LIST. bsd has a line for each of
--algorithms, hashdeep is for hashdeep -a, json has a line with all that is known.
bagit writes the manifests and tag files of a bag into the folder --output: the objects,
downloaded into its folder data/, make it complete. If the bucket has a bagit.txt, its
objects are a bag already: download them into --output itself.

--sign writes a statement with the checksums of the written files beside them, as
FILE.intoto.jsonl or DIR/manifest.intoto.jsonl: an in-toto statement in a DSSE envelope.
manifest --verify-signature checks it, and the files, without a bucket.

Objects without a current record are named on standard error, and the exit status
is 1; no --output is written then. With --allow-missing the list is written without them.
It is 2 if --prefix or --include selects no object.`,
		Example: `
  bucketsum manifest 's3://photos?region=eu-central-1' > MD5SUMS
  bucketsum manifest --format sha256sum --prefix 2026/ --strip 2026/ --output SHA256SUMS file:///srv/archive
  bucketsum manifest --format bagit --algorithms sha256,sha512 --sign key.pem --output bag 's3://photos?region=eu-central-1'
  bucketsum manifest --verify-signature bag/manifest.intoto.jsonl --key key.pub`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags.Command = sweep.Manifest
	fs := c.Flags()
	fs.Var(flagvalue.OneOf(&flags.format, formatNames()), "format", "md5sum, sha1sum, sha256sum, sha512sum, b3sum, bsd, hashdeep, bagit or json")
	fs.StringVar(&flags.out.Output, "output", "", "file, or folder of the bag, that gets the manifest; without it, standard output")
	fs.StringVar(&flags.out.Strip, "strip", "", "cut this from the beginning of each key; --prefix begins with it")
	fs.BoolVar(&flags.allowMissing, "allow-missing", false, "leave out objects without a current record, and end with status 0")
	fs.StringVar(&flags.sign, "sign", "", "file with an Ed25519 or ECDSA private key in PEM, which signs a statement about the manifest")
	fs.StringVar(&flags.verify, "verify-signature", "", "file with a signed statement: check it and the files beside it, with --key; no bucket is needed")
	fs.StringVar(&flags.key, "key", "", "file with the public key in PEM, for --verify-signature")
	flags.defineObjects(fs)
	flags.defineRecords(fs)
	flags.defineParts(fs)
	flags.defineLog(fs)
	c.RunE = func(c *cobra.Command, args []string) error {
		if flags.verify != "" {
			return runVerifySignature(p, &flags, args)
		}
		if err := flags.validate(args, c.Flags().Changed("algorithms")); err != nil {
			return usageError{err}
		}
		s := shown{allowMissing: flags.allowMissing, faults: p.stderr, mostFaults: mostGaps}
		if flags.Shards == 0 { // the run that puts the parts together writes the manifest
			s.take = func(ctx context.Context, open *pass.Pass) (taker, error) { return flags.take(ctx, p, open) }
		}
		return runSweep(c.Context(), p, &flags.sweepFlags, s)
	}
	return c
}

// mostGaps is how many objects that are not in a manifest are named.
const mostGaps = 1000

func formatNames() []string {
	var names []string
	for _, f := range manifest.Formats() {
		names = append(names, string(f))
	}
	return names
}

// validate completes the Config, and returns all mistakes. chosen: the user has named the algorithms.
func (f *manifestFlags) validate(args []string, chosen bool) error {
	f.out.Format = manifest.Format(f.format)
	if only := f.out.Format.Algorithm(); only != "" && !chosen {
		f.Options.Algorithms = []string{only}
	}
	faults := []error{f.sweepFlags.validate(args)}
	if len(args) > 1 {
		faults = append(faults, errors.New("a manifest is of one bucket; run the command for each"))
	}
	if f.key != "" {
		faults = append(faults, errors.New("--key belongs to --verify-signature; --sign names the private key"))
	}
	if f.sign != "" {
		key, err := readKey(f.sign, attestation.ParsePrivateKey)
		if err != nil {
			faults = append(faults, fmt.Errorf("--sign: %w", err))
		}
		f.out.Key = key
	}
	f.out.Algorithms, f.out.Prefix = f.Options.Algorithms, f.Options.Prefix
	return errors.Join(append(faults, f.out.Validate())...)
}

func readKey[K any](file string, parse func([]byte) (K, error)) (key K, err error) {
	text, err := handover.ReadKey(file)
	if err != nil {
		return key, err
	}
	if key, err = parse(text); err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return key, err
}

// take begins the manifest of an open bucket.
func (f *manifestFlags) take(ctx context.Context, p process, open *pass.Pass) (taker, error) {
	c := f.out
	c.Out, c.Bucket, c.Version, c.Now = p.stdout, f.Buckets[0].Name, version(), time.Now()
	if c.Format == manifest.FormatBagIt {
		var err error
		if c.ExistingBag, err = open.Has(ctx, c.Bucket, c.Strip+"bagit.txt"); err != nil {
			return nil, fmt.Errorf("find out whether the bucket has a bag: %w", err)
		}
	}
	m, err := handover.New(c)
	if err != nil {
		return nil, err
	}
	return &gathering{m, p.stderr, c.Output}, nil
}

// gathering is a manifest that is being written.
type gathering struct {
	*handover.Manifest
	stderr io.Writer
	output string
}

// End completes the manifest, or removes it if it is not as it must be.
func (g *gathering) End(good bool) error {
	if !good {
		err := g.Discard()
		if g.output != "" {
			err = errors.Join(fmt.Errorf("%s was not written, because the manifest would not be complete", g.output), err)
		}
		return err
	}
	if n := g.Folders(); n > 0 {
		fmt.Fprintf(g.stderr, "bucketsum: left out %d empty objects whose names end in a slash: they stand for folders\n", n)
	}
	return g.Commit()
}

func runVerifySignature(p process, f *manifestFlags, args []string) error {
	var faults []error
	if len(args) > 0 {
		faults = append(faults, errors.New("--verify-signature needs no bucket: the statement names its files"))
	}
	var key crypto.PublicKey
	if f.key == "" {
		faults = append(faults, errors.New("--verify-signature: name the file with the public key with --key"))
	} else {
		var err error
		if key, err = readKey(f.key, attestation.ParsePublicKey); err != nil {
			faults = append(faults, fmt.Errorf("--key: %w", err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return usageError{err}
	}
	err := handover.Verify(p.stdout, f.verify, key)
	switch {
	case errors.Is(err, handover.ErrFailed):
		return errReported
	case err != nil:
		return exitError{fmt.Errorf("--verify-signature: %w", err), output.StatusUnchecked}
	}
	return nil
}
