import assert from "node:assert/strict";
import fc from "fast-check";
import { readFfmpeg } from "../../core/analysis/catalogue/ffmpeg.ts";
import { readProgram } from "../../core/analysis/catalogue/program.ts";
import { readCommand } from "../../core/analysis/catalogue/shell.ts";
import { partsOf, show, showFiles, wordsOf } from "./words.ts";

/** Arguments as a list of words, separated by blanks; in → out, the list in brackets. */
const cases: readonly (readonly [args: string, inputs: string, outputs: string, list?: string])[] = [
  ["-i <a> <b>", "<a>", "<b>"],
  ["-y -i <a> <b>", "<a>", "<b>"],
  ["-i <a> <b> -y", "<a>", "<b>"],
  ["-i <a> -n <b>", "<a>", "<b>"],
  ["-i in.mp4 out.mp4", "in.mp4", "out.mp4"],
  ["-hide_banner -loglevel error -nostdin -i <a> <b>", "<a>", "<b>"],
  ["-nostats -stats -i <a> <b>", "<a>", "<b>"],
  ["-i <a> -i <b> -c:v copy -c:a aac -map 0:v:0 -map 1:a:0 -shortest <out>", "<a>, <b>", "<out>"],
  ["-ss 10 -t 5 -i <a> -an -vn -sn <b>", "<a>", "<b>"],
  ["-i <a> -vf scale=1280:-2 -crf 23 -preset fast -pix_fmt yuv420p -movflags +faststart <b>", "<a>", "<b>"],
  ["-i <a> -filter_complex <filter> -map [v] <b>", "<a>", "<b>"],
  ["-i <a> -vf subtitles=<subs> <b>", "<a>, <subs>", "<b>"],
  ["-i <a> -b:v 2M -maxrate 2M -bufsize 4M -x264-params keyint=48 <b>", "<a>", "<b>"],
  ["-i <a> -metadata:s:v:0 rotate=0 -disposition:a:0 default <b>", "<a>", "<b>"],
  ["-i <a> -some_private_option value <b>", "<a>", "<b>"],
  ["-i <a> -vn <b> -an <c>", "<a>", "<b>, <c>"],
  ["-i <a> -ss 1 -frames:v 1 <thumb> -c copy <b>", "<a>", "<thumb>, <b>"],
  ["-f null -", "", ""],
  ["-i <a> -f null -", "<a>", ""],
  ["-i <a> -f null /dev/null", "<a>", ""],
  ["-i <a> -af volumedetect -f null NUL", "<a>", ""],
  ["-i <a> -pass 1 -passlogfile <log> -f mp4 /dev/null", "<a>", "<log> …"],
  ["-i <a> -f mp3 pipe:1", "<a>", ""],
  ["-i <a> -f mp3 -", "<a>", ""],
  ["-i pipe:0 <b>", "", "<b>"],
  ["-i - <b>", "", "<b>"],
  ["-re -i <a> -f flv rtmp://live.example/<key>", "<a>", ""],
  ["-i <a> -f mpegts srt://host:9000", "<a>", ""],
  ["-i https://example.com/a.mp4 <b>", "", "<b>"],
  ["-i file:<a> file:<b>", "<a>", "<b>"],
  ["-i concat:<a>|<b>|c.ts <out>", "<a>, <b>, c.ts", "<out>"],
  ["-f lavfi -i color=c=black:s=1280x720 -i <a> <out>", "<a>", "<out>"],
  ["-i <a> -f lavfi -i anullsrc=r=44100 -shortest <out>", "<a>", "<out>"],
  ["-f lavfi -t 3 -i testsrc <out>", "", "<out>"],
  ["-f concat -safe 0 -i <list> -c copy <out>", "<list>", "<out>", "<list>"],
  ["-f concat -i list.txt -i <music> <out>", "list.txt, <music>", "<out>", "list.txt"],
  ["-f image2 -framerate 30 -i <dir>/frame_%03d.png <out>", "<dir>/frame_%03d.png …", "<out>"],
  ["-i <a> <dir>/frame_%d.jpg", "<a>", "<dir>/frame_%d.jpg …"],
  ["-framerate 10 -pattern_type glob -i <dir>/*.png <out>", "<dir>/*.png …", "<out>"],
  ["-i <a> -f hls -hls_time 6 -hls_segment_filename <dir>/seg_%03d.ts <dir>/index.m3u8", "<a>", "<dir>/seg_%03d.ts …, <dir>/index.m3u8"],
  ["-i <a> -f segment -segment_list <l> -segment_time 10 <dir>/s%03d.mp4", "<a>", "<l>, <dir>/s%03d.mp4 …"],
  ["-i <a> -f tee -map 0 [f=mp4]<b>|[f=flv]rtmp://x/y|<c>", "<a>", "<b>, <c>"],
  ["-i <a> -filter_complex_script <script> <b>", "<a>, <script>", "<b>"],
  ["-i <a> -filter_script:v <script> <b>", "<a>, <script>", "<b>"],
  ["-i <a> -/filter_complex <script> <b>", "<a>, <script>", "<b>"],
  ["-i <a> -attach <cover> -metadata:s:t mimetype=image/png <b>", "<a>, <cover>", "<b>"],
  ["-dump_attachment:t:0 <font> -i <a>", "<a>", "<font>"],
  ["-i <a> -progress pipe:2 <b>", "<a>", "<b>"],
  ["-i <a> -progress <p> <b>", "<a>", "<p>, <b>"],
  ["-f v4l2 -i /dev/video0 <b>", "", "<b>"],
  ["-f avfoundation -i 0:1 <b>", "", "<b>"],
  ["-i <a> -- -odd.mp4", "<a>", "-odd.mp4"],
  ["-i C:\\clips\\a.mp4 D:\\out.mp4", "C:\\clips\\a.mp4", "D:\\out.mp4"],
  ["-i <dir>/<name>.webm <dir>/<name>.mp4", "<dir>/<name>.webm", "<dir>/<name>.mp4"],
  ["<...inputs> -c copy <out>", "", "<out>"],
  ["-i <a> <...codec> <out>", "<a>", "<out>"],
  ["-i <a> <...rest>", "<a>", ""],
  ["-noautorotate -accurate_seek -i <a> -copyinkf:v <b>", "<a>", "<b>"],
  ["-i <a> -report -benchmark <b>", "<a>", "<b>"],
  ["-f ffmetadata -i <meta> -i <a> -map_metadata 0 <b>", "<meta>, <a>", "<b>"],
  ["-i <a> -f <format> <b>", "<a>", "<b>"],
  ["-i", "", ""],
  ["-i <a>", "<a>", ""],
];

describe("readFfmpeg", () => {
  for (const [args, inputs, outputs, list] of cases) {
    it(args, () => {
      const use = readFfmpeg(wordsOf(...args.split(" ")));
      assert.deepEqual(
        [showFiles(use?.inputs ?? []).join(", "), showFiles(use?.outputs ?? []).join(", "), use?.list && show(use.list.word)],
        [inputs, outputs, list],
      );
    });
  }

  for (const [filters, files] of [
    ["subtitles=<a>", "<a>"],
    ["scale=1280:-2,subtitles=<a>.srt:force_style='Fontsize=24'", "<a>.srt"],
    ["ass='<a>'", "<a>"],
    ["subtitles=filename=<a>:fontsdir=<b>", "<a>"],
    ["movie=<a>,scale=10:10[logo];[in][logo]overlay=5:5", "<a>"],
    ["[0:v]subtitles=C\\\\:/x.srt[v];[v]drawtext=textfile=<a>:fontsize=20", "C\\\\:/x.srt, <a>"],
    ["scale=1280:-2,fps=25", ""],
    ["drawtext=text='<a>'", ""],
  ] as const)
    it(`-vf ${filters}`, () => {
      for (const option of ["-vf", "-filter_complex", "-filter:v"]) {
        const use = readFfmpeg(wordsOf("-i", "<film>", option, filters, "<out>"));
        assert.equal(showFiles(use?.inputs ?? []).join(", "), ["<film>", files].filter((one) => one !== "").join(", "));
      }
    });

  it("finds nothing where no file is named", () => {
    for (const args of [[], ["-version"], ["-hide_banner", "-encoders"], ["-f", "lavfi", "-i", "anullsrc", "-f", "null", "-"]])
      assert.equal(readFfmpeg(wordsOf(...args)), undefined, args.join(" "));
  });

  it("keeps a word as it was given when all of it is the path", () => {
    const words = wordsOf("-i", "<a>", "<dir>/x.mp4");
    const use = readFfmpeg(words);
    assert.equal(use?.inputs[0]?.word, words[1]);
    assert.equal(use?.outputs[0]?.word, words[2]);
    assert.equal(use?.outputs[0]?.index, 2);
  });

  it("does not take a hole outside of quotes for an output when another word follows", () => {
    const [command] = readCommand(partsOf("ffmpeg -i <a> <filters> -c copy <out>"));
    const use = readFfmpeg(command!.argv.slice(1));
    assert.deepEqual(showFiles(use!.outputs), ["<out>"]);
    assert.deepEqual(use!.unsure, [2]);
  });

  it("finds one input and one output among any options that take no file", () => {
    const option = fc.constantFrom(
      ["-y"],
      ["-c:v", "libx264"],
      ["-an"],
      ["-crf", "23"],
      ["-map", "0:v"],
      ["-hide_banner"],
      ["-vf", "scale=1:1"],
    );
    fc.assert(
      fc.property(fc.array(option), fc.array(option), fc.array(option), (before, between, after) => {
        const words = wordsOf(...before.flat(), "-i", "<a>", ...between.flat(), "<b>", ...after.flat());
        const use = readFfmpeg(words);
        assert.deepEqual([showFiles(use!.inputs), showFiles(use!.outputs)], [["<a>"], ["<b>"]]);
      }),
    );
  });

  it("never throws", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("-i", "-f", "tee", "concat:", "[", "-", "--", "|", "<x>", "file:", "-filter_script"),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        const use = readFfmpeg(wordsOf(...words));
        for (const file of [...(use?.inputs ?? []), ...(use?.outputs ?? [])]) assert.ok(file.index < words.length);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the program of a command", () => {
  const names: readonly (readonly [text: string, does: string | undefined])[] = [
    ["ffmpeg", "assembly"],
    ["/usr/local/bin/ffmpeg", "assembly"],
    ["C:\\tools\\ffmpeg.exe", "assembly"],
    ["ffmpegPath", "assembly"],
    ["ffmpegStatic", "assembly"],
    ["ffmpeg-static", "assembly"],
    ["FFMPEG_BIN", "assembly"],
    ["process.env.FFMPEG_PATH", "assembly"],
    ["ffmpegInstaller.path", "assembly"],
    ["ffprobe", "read"],
    ["ffprobePath", "read"],
    ["ffplay", "read"],
    ["convert", "assembly"],
    ["converter", undefined],
    ["git", undefined],
    ["", undefined],
  ];
  const rest = [[{ text: "-i" }], [{ text: "in.mp4" }], [{ text: "out.mp4" }]];
  for (const [text, does] of names)
    it(`${text || "nothing"} is ${does ?? "unknown"}`, () =>
      assert.equal(readProgram([text === "" ? [] : [{ text }], ...rest])[0]?.role, does));
});
