package output

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// premis writes objects at once, and events into a scratch file: PREMIS wants all objects before all events.
type premis struct {
	pass   Pass
	file   *file
	events *scratch
	n      int64
	now    func() time.Time
	err    error // the output has a gap
}

// PREMIS returns a sink that writes a PREMIS 3.0 document (https://www.loc.gov/standards/premis/v3/) with one object and
// one event "fixity check" for each row. The file appears as a whole when the pass ends. Only a pass that reads
// content makes fixity checks: an error is returned for any other, and if the file cannot be written.
func PREMIS(path string, p Pass) (Sink, error) {
	if p.Command != sweep.Verify || p.Options.RecordsOnly {
		return nil, errors.New("write PREMIS: only a verification that reads the content is a fixity check")
	}
	f, err := createFile(path)
	if err != nil {
		return nil, fmt.Errorf("write PREMIS: %w", err)
	}
	events, err := newScratch(filepath.Dir(path))
	if err != nil {
		f.abort()
		return nil, fmt.Errorf("write PREMIS: %w", err)
	}
	s := &premis{pass: p, file: f, events: events, now: time.Now}
	_, s.err = f.WriteString(xml.Header + `<premis xmlns="http://www.loc.gov/premis/v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"` +
		` xsi:schemaLocation="http://www.loc.gov/premis/v3 https://www.loc.gov/standards/premis/premis.xsd" version="3.0">` + "\n")
	for _, bucket := range p.Buckets { // PREMIS wants at least one object, also if the buckets are empty
		s.write(s.file, `<object xsi:type="intellectualEntity">`, identifier("object", place(bucket, "")), element("originalName", bucket), "</object>\n")
	}
	return s, nil
}

// The parts of the document. Only element, identifier and tag make them, which escape what they are given.
type xmlText string

// element returns an element with a text.
func element(name, text string) xmlText {
	var b strings.Builder
	fmt.Fprintf(&b, "<%s>", name)
	_ = xml.EscapeText(&b, []byte(readable.Text(text))) // a strings.Builder takes everything
	fmt.Fprintf(&b, "</%s>", name)
	return xmlText(b.String())
}

// identifier returns the two elements that identify an object, an event or an agent, within their own.
func identifier(of, value string) xmlText {
	of += "Identifier"
	return xmlText("<"+of+">") + element(of+"Type", "local") + element(of+"Value", value) + xmlText("</"+of+">")
}

// place identifies an object: bucket and key as the path of a URL has them.
func place(bucket, key string) string {
	return (&url.URL{Path: bucket + "/" + key}).EscapedPath()
}

// placeOf identifies the object of a row, or the version if it is not the current one.
func placeOf(r sweep.Row) string {
	if r.Noncurrent {
		return place(r.Bucket, r.Key) + "?versionId=" + url.QueryEscape(r.VersionID)
	}
	return place(r.Bucket, r.Key)
}

func (s *premis) write(w interface{ WriteString(string) (int, error) }, parts ...xmlText) {
	for _, part := range parts {
		if s.err == nil {
			_, s.err = w.WriteString(string(part))
		}
	}
}

func (s *premis) Row(r sweep.Row) error {
	s.object(r)
	s.event(r)
	if s.err != nil {
		return fmt.Errorf("write PREMIS: %w", s.err)
	}
	return nil
}

// object writes what an object is, with the checksums that it should have.
func (s *premis) object(r sweep.Row) {
	sums := maps.Clone(r.Checksums)
	if sums == nil {
		sums = make(map[string]string)
	}
	maps.Copy(sums, r.Expected)
	s.write(s.file, `<object xsi:type="file">`, identifier("object", placeOf(r)), "<objectCharacteristics>")
	for _, algorithm := range slices.Sorted(maps.Keys(sums)) {
		s.write(s.file, "<fixity>", element("messageDigestAlgorithm", digestName(algorithm)), element("messageDigest", sums[algorithm]), "</fixity>")
	}
	if r.Size != nil {
		s.write(s.file, element("size", fmt.Sprint(*r.Size)))
	}
	s.write(s.file, "<format><formatDesignation><formatName>unknown</formatName></formatDesignation></format></objectCharacteristics>",
		element("originalName", r.Key))
	if r.Class != "" {
		s.write(s.file, "<storage>", element("storageMedium", r.Class), "</storage>")
	}
	s.write(s.file, "</object>\n")
}

// event writes what was found out about an object.
func (s *premis) event(r sweep.Row) {
	s.n++
	at := s.now()
	if r.VerifiedAt != nil {
		at = *r.VerifiedAt
	}
	name := s.pass.Name
	if name == "" {
		name = s.pass.Begun.UTC().Format(time.RFC3339)
	}
	with := "the records"
	switch {
	case s.pass.List != "":
		with = "the list " + s.pass.List
	case r.Noncurrent:
		with = "what the store states"
	}
	outcome, note := s.outcome(r)
	s.write(s.events, "<event>", identifier("event", fmt.Sprintf("%s/%d", name, s.n)),
		`<eventType authority="eventType" valueURI="http://id.loc.gov/vocabulary/preservation/eventType/fix">fixity check</eventType>`,
		element("eventDateTime", at.UTC().Format(time.RFC3339)),
		"<eventDetailInformation>", element("eventDetail", "content read and compared with "+with), "</eventDetailInformation>",
		"<eventOutcomeInformation>", outcome, "<eventOutcomeDetail>", element("eventOutcomeDetailNote", note), "</eventOutcomeDetail></eventOutcomeInformation>",
		"<linkingAgentIdentifier>", element("linkingAgentIdentifierType", "local"), element("linkingAgentIdentifierValue", agent),
		element("linkingAgentRole", "executing program"), "</linkingAgentIdentifier>",
		"<linkingObjectIdentifier>", element("linkingObjectIdentifierType", "local"), element("linkingObjectIdentifierValue", placeOf(r)),
		"</linkingObjectIdentifier></event>\n")
}

const agent = "bucketsum"

// outcome returns the outcome of a check and what was found.
func (s *premis) outcome(r sweep.Row) (xmlText, string) {
	outcome := func(text, code string) xmlText {
		return xmlText(`<eventOutcome valueURI="http://id.loc.gov/vocabulary/preservation/eventOutcome/` + code + `">` + text + `</eventOutcome>`)
	}
	note := []string{string(r.State)}
	for _, algorithm := range slices.Sorted(maps.Keys(r.Checksums)) {
		if r.Expected[algorithm] == "" {
			note = append(note, digestName(algorithm)+" "+r.Checksums[algorithm])
		}
	}
	text := strings.Join(append(note, details(r)...), "; ")
	if uncompared(r) {
		return outcome("not checked", "war"), text
	}
	switch r.State {
	case sweep.OK, sweep.Moved:
		return outcome("pass", "suc"), text
	case sweep.Stale, sweep.NoRecord, sweep.New, sweep.Archived: // there is nothing to compare with, or no content
		return outcome("not checked", "war"), text
	}
	return outcome("fail", "fai"), text
}

// digestNames are those of http://id.loc.gov/vocabulary/preservation/cryptographicHashFunctions, where they differ.
var digestNames = map[string]string{"sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}

func digestName(algorithm string) string {
	if name := digestNames[algorithm]; name != "" {
		return name
	}
	return strings.ToUpper(algorithm)
}

func (s *premis) Close(e End) error {
	defer s.events.close()
	if e.Refused {
		s.file.abort()
		return nil
	}
	if s.err == nil {
		s.err = s.events.copyTo(s.file)
	}
	s.write(s.file, "<agent>", identifier("agent", agent), element("agentName", agent), "<agentType>software</agentType>",
		element("agentVersion", s.pass.Version))
	if e.Stopped != "" {
		s.write(s.file, element("agentNote", "The pass was stopped early: "+e.Stopped))
	}
	s.write(s.file, "</agent>\n</premis>\n")
	if s.err != nil {
		s.file.abort()
		return fmt.Errorf("write PREMIS: %w", s.err)
	}
	if err := s.file.commit(); err != nil {
		return fmt.Errorf("write PREMIS: %w", err)
	}
	return nil
}
