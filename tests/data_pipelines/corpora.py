"""Mini corpora, each in its source's own layout and with its quirks: two clips and some flaws.

Every builder takes a new folder, a video and a sound, and returns the path for `--input`.
"""

import json
import shutil

ID_A, ID_B, GONE = "-aBc_dEfG12", "0k1J2-h3G4_", "goneGoneGon"


def _place(source, *targets):
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def folder(root, video, sound):
    _place(video, root / "a.mp4", root / "deep" / "b.mov")
    _write(root / "a.txt", "\ufeffa ball bounces\r\nsomething drops\r\n")
    told = {"labels": ["ball"], "events": [{"time": 0.2, "kind": "hit"}], "licence": "CC-BY-4.0"}
    told |= {"licence_evidence": "https://example.org/a", "split": "train"}
    _write(root / "a.json", json.dumps(told))
    cues = "1\n00:00:00,000 --> 00:00:00,600\n<i>hello</i> you\n"
    _write(root / "deep" / "b.srt", cues)
    _place(video, root / "broken.mp4")
    _write(root / "broken.json", '{"caption": ')
    return root


def csv(root, video, sound):
    _place(video, root / "a.mp4", root / "b.mp4")
    header = "file,caption_1,caption_2,labels,start,end,licence\r\n"
    rows = (
        'a.mp4,"a ball, bouncing",second,ball; wood,0.1,0.9,CC0-1.0\r\nb.mp4,nur ein Geräusch\r\n'
    )
    _write(root / "clips.csv", header + rows + "gone.mp4,x\r\nb.mp4,x,y,z,late,1\r\n", "latin-1")
    return root / "clips.csv"


def vggsound(root, video, sound):
    _place(video, root / "clips" / f"{ID_A}_000030.mp4", root / "clips" / f"{ID_B}_4000_14000.mp4")
    rows = f'{ID_A},30,"playing violin, fiddle",train\n{ID_B},4,dog barking,test\n'
    return _write(
        root / "vggsound.csv", rows + f"{GONE},0,rain,train\n{ID_A},x,rain,train\n"
    ).parent


def audioset(root, video, sound):
    _place(video, root / f"{ID_A}_000030.mp4")
    _place(sound, root / f"Y{ID_B}.wav")
    head = (
        "# Segments csv created Sun Mar  5 10:54:31 2017\n# num_ytids=3\n# YTID, start, end, mid\n"
    )
    rows = f'{ID_A}, 30.000, 40.000, "/m/04rlf,/m/0z9c"\n{ID_B}, 5.000, 15.000, "/m/04rlf"\n'
    flaws = f'{GONE}, 0.000, 10.000, "/m/04rlf"\n{ID_A}, -1, 10, "/m/04rlf"\n'
    _write(root / "class_labels_indices.csv", '0,/m/04rlf,Music\n1,/m/0z9c,"Tick, tock"\n')
    return _write(root / "balanced_train_segments.csv", head + rows + flaws).parent


def audiocaps(root, video, sound):
    _place(sound, root / "audio" / f"Y{ID_A}.wav", root / "audio" / f"{ID_B}_000010.wav")
    rows = f'1,{ID_A},30,"A man speaks, then a dog barks"\n2,{ID_B},10,Rain\n3,{ID_A},30,Barking\n'
    flaws = f"4,{GONE},0,Wind\n5,{ID_A},thirty,Wind\n"
    return _write(
        root / "val.csv", "audiocap_id,youtube_id,start_time,caption\n" + rows + flaws
    ).parent


def wavcaps(root, video, sound):
    _place(
        sound, root / "audio" / "100.wav", root / "audio" / "200.wav", root / "audio" / "300.wav"
    )
    clips = [{"id": key, "caption": f"sound {key}", "href": "https://x.org"} for key in (100, 200)]
    clips += [{"id": "300.wav", "caption": "also in a test set"}, {"id": 400, "caption": "gone"}]
    _write(root / "json_files" / "SoundBible.json", json.dumps(clips + [{"id": 500}]))
    _write(root / "json_files" / "blacklist" / "all.json", json.dumps({"AudioCaps": ["300"]}))
    return root


def clotho(root, video, sound):
    _place(sound, root / "development" / "Bells é.wav", root / "development" / "wind.wav")
    head = "file_name," + ",".join(f"caption_{k}" for k in range(1, 6))
    rows = "\n".join(
        f'{name},"a, {name}",b,c,d,e' for name in ("Bells é.wav", "wind.wav", "no.wav")
    )
    _write(root / "clotho_captions_development.csv", f"{head}\n{rows}\n,,\n")
    head = "file_name,keywords,sound_id,sound_link,start_end_samples,manufacturer,license"
    known = 'Bells é.wav,bells;church,1,https://freesound.org/1,"[0, 9]",Zoé,'
    known += "http://creativecommons.org/licenses/by/3.0/\n"
    none = "wind.wav,wind,Not found,Not found,Not found,Not found,Not found\n"
    _write(root / "clotho_metadata_development.csv", f"{head}\n{known}{none}", "latin-1")
    return root


def greatest_hits(root, video, sound):
    _place(video, root / "2015-02-16_denoised.mp4", root / "2015-02-17_mic.mp4")
    _write(root / "2015-02-16_times.txt", "0.30 wood hit static\n0.90 None None None\nnonsense\n")
    _write(root / "2015-02-17_times.txt", "0.10 metal scratch deform\n")
    _write(root / "2015-02-18_times.txt", "0.10 metal hit static\n")
    return root


def ave(root, video, sound):
    _place(video, root / "AVE" / f"{ID_A}.mp4", root / "AVE" / f"{ID_B}.mp4")
    rows = f"Church bell&{ID_A}&good&0&1\nRats, mice&{ID_B}&good&0&10\n"
    _write(root / "Annotations.txt", "Category&VideoID&Quality&StartTime&EndTime\n" + rows)
    with open(root / "Annotations.txt", "a") as file:
        file.write(f"Bus&{GONE}&good&0&10\nBus&{GONE}&good\n")
    _write(root / "testSet.txt", f"Rats, mice&{ID_B}&good&0&10\n")
    return root


def lrs3(root, video, sound):
    _place(video, root / "trainval" / ID_A / "50001.mp4", root / "test" / ID_B / "00001.mp4")
    head = "Text:  HELLO YOU\nConf:  3\nRef:   {}\n\n"
    head += "FRAME \tX \tY \tW \tH \n000001 \t0.4 \t0.2 \t0.1 \t0.2 \n\n"
    words = "WORD START END ASDSCORE\nHELLO 0.1 0.4 5.0\nYOU 0.5 0.9 3.0\n"
    _write(root / "trainval" / ID_A / "50001.txt", head.format(ID_A) + words)
    uncropped = "Text: HELLO\nRef: x\nAUDIO SEGMENT (start_sec duration_sec): 0 1.2\n1.0 0 0 1 1\n"
    _write(root / "test" / ID_B / "00001.txt", uncropped)
    _write(root / "test" / ID_B / "00002.txt", "Text: GONE\n")
    _write(root / "test" / ID_B / "00003.txt", "nothing of use\n")
    return root


def grid(root, video, sound):
    _place(
        video, root / "s1" / "bbaf2n.mpg", root / "s2" / "lwwz9s.mpg", root / "s2" / "swiu1a.mpg"
    )
    _place(video, root / "s2" / "other.mpg")
    times = "0 2500 sil\n2500 7500 bin\n7500 12500 blue\n12500 15000 at\n15000 20000 f\n"
    _write(root / "align" / "s1" / "bbaf2n.align", times + "20000 25000 two\n25000 28000 now\n")
    _write(root / "align" / "s2" / "swiu1a.align", "0 soon set\n")
    return root


def unav100(root, video, sound):
    _place(video, root / f"{ID_A}.mp4", root / f"v_{ID_B}.mp4")
    one = {"segment": [0.2, 0.9], "label": "dog barking", "label_id": 3}
    two = {"segment": [0.0, 0.5], "label": "people talking", "label_id": 7}
    videos = {
        ID_A: {"subset": "train", "duration": 1.2, "annotations": [one, two]},
        ID_B: {"subset": "validation", "duration": 1.2, "fps": 25, "annotations": [one]},
        GONE: {"subset": "test", "duration": 1.2, "annotations": []},
        "flawed": {"subset": "test", "annotations": [{"segment": [0.2], "label": "x"}]},
    }
    return _write(root / "unav100_annotations.json", json.dumps({"database": videos})).parent


def moviegen(root, video, sound):
    _place(video, root / "1.mp4", root / "2.mp4")
    one = {"id": 1, "video_prompt": "a", "audio_prompt": "rain", "music_prompt": "a piano"}
    two = {"id": "2", "video_prompt": "a", "audio_prompt": "wind"}
    gone = {"id": 3, "video_prompt": "a", "audio_prompt": "wind"}
    lines = [json.dumps(row) for row in (one, two, gone)] + ['{"id": 4']
    return _write(root / "bench.jsonl", "\n".join(lines)).parent


CORPORA = {
    builder.__name__: builder
    for builder in (
        *(folder, csv, vggsound, audioset, audiocaps, wavcaps, clotho),
        *(greatest_hits, ave, lrs3, grid, unav100, moviegen),
    )
}
