package sqs

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	gcaws "gocloud.dev/aws"

	"github.com/bucketsum/bucketsum/adapters/awsfault"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Driver implements queue.Driver. The zero value is ready. It keeps one client for
// each URL, so that credentials are loaded once. Do not copy it.
type Driver struct {
	// LoadConfig returns the SDK's configuration for the parameters of a queue
	// URL. Default: the SDK's default chain.
	LoadConfig func(ctx context.Context, parameters url.Values) (aws.Config, error)
	Log        *slog.Logger // default: discarded

	mu      sync.Mutex
	clients map[string]*client // by URL
}

// Traits implements queue.Driver.
func (d *Driver) Traits() queue.Traits {
	return queue.Traits{
		Schemes: []queue.Scheme{
			{Name: SchemeParallel, Example: "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects"},
			{Name: SchemeOrdered, Example: "sqs://sqs.eu-central-1.amazonaws.com/123456789012/objects.fifo (in order)"},
		},
		CountsDeliveries: true,
		HeldFor:          heldFor,
		OwnTopic:         true,
		DelaysNacks:      true,
		NackDelay:        Backoff,
		Reachable:        d.Reachable,
		Count:            d.Count,
		Move:             d.Move,
	}
}

func (d *Driver) loadConfig(ctx context.Context, parameters url.Values) (aws.Config, error) {
	if d.LoadConfig == nil {
		return gcaws.V2ConfigFromURLParams(ctx, parameters)
	}
	return d.LoadConfig(ctx, parameters)
}

// OpenQueue implements queue.Driver.
func (d *Driver) OpenQueue(ctx context.Context, url string, concurrency int) (queue.Queue, error) {
	c, err := d.client(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	if c.address.ordered {
		return c.openOrdered(concurrency)
	}
	return c.openStandard(ctx, concurrency), nil
}

// client returns the client of a URL. It makes no call to SQS.
func (d *Driver) client(ctx context.Context, url string) (*client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.clients[url]; c != nil {
		return c, nil
	}
	a, err := parseAddress(url)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	if err := errors.Join(redact.Server(credentialsServer, os.Getenv(credentialsServer)), redact.Server("endpoint", a.sdk.Get("endpoint"))); err != nil {
		return nil, pipeline.Permanent(err)
	}
	cfg, err := d.loadConfig(ctx, a.sdk)
	if err != nil {
		return nil, pipeline.Permanent(awsfault.Config(err, a.sdk, "visibility", "waittime"))
	}
	if cfg.Region == "" {
		return nil, pipeline.Permanent(errors.New("no region: add region=… to the URL or set AWS_REGION"))
	}
	cfg.Logger = sdkLog{queue.Logger(d.Log)}
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), renewing(cfg.Credentials))
	c := &client{address: a, aws: cfg, sqs: sqs.NewFromConfig(cfg), log: queue.Logger(d.Log)}
	if err := redact.Server("AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_SQS or endpoint_url", aws.ToString(c.sqs.Options().BaseEndpoint)); err != nil {
		return nil, pipeline.Permanent(err)
	}
	c.visibility.Store(int64(defaultVisibility)) // until check knows better
	if d.clients == nil {
		d.clients = make(map[string]*client)
	}
	d.clients[url] = c
	return c, nil
}

// credentialsServer is the variable with the server from which the SDK gets credentials in containers.
const credentialsServer = "AWS_CONTAINER_CREDENTIALS_FULL_URI"

// Reachable asks SQS whether the queue of a URL is there and may be read.
func (d *Driver) Reachable(ctx context.Context, url string) error {
	c, err := d.client(ctx, url)
	if err != nil {
		return err
	}
	return c.check(ctx)
}

// Backoff returns how long a message stays invisible after it was nacked on its
// nth delivery: about 2 s at first, doubled each time, up to about 5 min.
func Backoff(attempt int) time.Duration {
	return backoff.Backoff{First: 2 * time.Second, Longest: 5 * time.Minute}.Delay(attempt)
}
