"""Kinds of instance that an archive meets beside images: each function makes one, without its UIDs."""

from collections.abc import Callable
from math import sin

from pydicom import uid as u
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from gateway.demo.pixels import frames_of, phantom, slice_of

_PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""
_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_LEAD_CODES = ("1", "2", "61", "62", "63", "64", "3", "4", "5", "6", "7", "8")  # MDC 2:n, PS3.16 CID 3001


def patient(sop_class: str, modality: str, *, character_set: str = "ISO_IR 192") -> Dataset:
    """The patient, study and series attributes; the person does not exist."""
    data_set = Dataset()
    data_set.SpecificCharacterSet = character_set
    data_set.SOPClassUID = sop_class
    data_set.StudyDate, data_set.StudyTime = "20260923", "101500"
    data_set.ContentDate, data_set.ContentTime = "20260923", "101730"
    data_set.AccessionNumber = "DEMO0001"
    data_set.Modality = modality
    data_set.Manufacturer = "Kuvavaranto demo"
    data_set.ReferringPhysicianName = "Äijälä^Örjan"
    data_set.StudyDescription = "Näytetutkimus"
    data_set.PatientName = "Hämäläinen^Päivi Åsa" if character_set == "ISO_IR 192" else "Mäkinen^Åke Öyvind"
    data_set.PatientID = "010101-999X"
    data_set.PatientBirthDate, data_set.PatientSex = "19010101", "F"
    data_set.StudyID, data_set.SeriesNumber, data_set.InstanceNumber = "1", 1, 1
    return data_set


def ct(number: int, side: int) -> Dataset:
    """A CT slice without its pixels; Finnish names in ISO_IR 100 and ISO_IR 192 in turn."""
    character_set = "ISO_IR 100" if number % 2 else "ISO_IR 192"
    data_set = patient(u.CTImageStorage, "CT", character_set=character_set)
    data_set.PatientName = "Mäkinen^Åke Öyvind"
    data_set.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data_set.SeriesDescription = "Vartalo, ohut leike"
    data_set.SliceThickness, data_set.KVP = "1.25", "120"
    data_set.ImagePositionPatient = ["-128", "-128", f"{number * 1.25:g}"]
    data_set.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    data_set.PixelSpacing = ["1", "1"]
    data_set.RescaleIntercept, data_set.RescaleSlope = "-1024", "1"
    return _image(data_set, side=side, bits=16)


def _image(data_set: Dataset, *, side: int, bits: int) -> Dataset:
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.Rows = data_set.Columns = side
    data_set.BitsAllocated = bits
    data_set.BitsStored = min(bits, 12)
    data_set.HighBit = data_set.BitsStored - 1
    data_set.PixelRepresentation = 0
    return data_set


def ultrasound_multi_frame() -> Dataset:
    """A cine loop: 60 frames in one instance."""
    data_set = _image(patient(u.UltrasoundMultiFrameImageStorage, "US"), side=256, bits=8)
    data_set.NumberOfFrames = 60
    data_set.FrameTime = "33.3"
    data_set.FrameIncrementPointer = 0x00181063
    data_set.PixelData = frames_of(256, 60)
    data_set["PixelData"].VR = "OB"
    return data_set


def enhanced_ct() -> Dataset:
    """Ten slices as frames of one instance, with their functional groups."""
    data_set = _image(patient(u.EnhancedCTImageStorage, "CT"), side=128, bits=16)
    data_set.NumberOfFrames = 10
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([_with(PixelSpacing=["1", "1"], SliceThickness="2")])
    data_set.SharedFunctionalGroupsSequence = Sequence([shared])
    data_set.PerFrameFunctionalGroupsSequence = Sequence([_frame(n) for n in range(10)])
    data_set.PixelData = b"".join(slice_of(128, n) for n in range(10))
    data_set["PixelData"].VR = "OW"
    return data_set


def _frame(number: int) -> Dataset:
    frame = Dataset()
    frame.PlanePositionSequence = Sequence([_with(ImagePositionPatient=["0", "0", str(2 * number)])])
    frame.FrameContentSequence = Sequence([_with(DimensionIndexValues=[1, number + 1])])
    return frame


def ecg() -> Dataset:
    """A 12-lead ECG: ten seconds at 500 Hz."""
    data_set = patient(u.TwelveLeadECGWaveformStorage, "ECG")
    data_set.AcquisitionDateTime = "20260923101500"
    group = _with(
        WaveformOriginality="ORIGINAL", NumberOfWaveformChannels=12, NumberOfWaveformSamples=5000,
        SamplingFrequency="500", WaveformBitsAllocated=16, WaveformSampleInterpretation="SS",
    )  # fmt: skip
    group.ChannelDefinitionSequence = Sequence(
        [_channel(name, code) for name, code in zip(_LEADS, _LEAD_CODES, strict=True)]
    )
    samples = (round(900 * sin(n / 80) ** 63) + lead for n in range(5000) for lead in range(12))
    group.WaveformData = b"".join(value.to_bytes(2, "little", signed=True) for value in samples)
    group["WaveformData"].VR = "OW"
    data_set.WaveformSequence = Sequence([group])
    return data_set


def _channel(name: str, code: str) -> Dataset:
    channel = _with(WaveformBitsStored=16)
    channel.ChannelSourceSequence = Sequence([_code(f"2:{code}", "MDC", f"Lead {name}")])
    return channel


def pdf() -> Dataset:
    """An encapsulated PDF."""
    data_set = patient(u.EncapsulatedPDFStorage, "DOC")
    data_set.ConversionType, data_set.BurnedInAnnotation = "WSD", "YES"
    data_set.DocumentTitle = "Lähete: pää, TT"
    data_set.MIMETypeOfEncapsulatedDocument = "application/pdf"
    data_set.EncapsulatedDocument = _PDF + b" " * (len(_PDF) % 2)
    return data_set


def comprehensive_sr() -> Dataset:
    """A structured report with text, a number and a reference, in undefined-length sequences."""
    data_set = _report(u.ComprehensiveSRStorage, "SR", "126000", "Imaging Measurement Report")
    text = _item("TEXT", "121071", "Finding", TextValue="Ei poikkeavaa: sydän, keuhkot ja äänihuulet.")
    measure = _item("NUM", "103339001", "Long Axis", scheme="SCT")
    unit = _with(NumericValue="12.5")
    unit.MeasurementUnitsCodeSequence = Sequence([_code("mm", "UCUM", "mm")])
    measure.MeasuredValueSequence = Sequence([unit])
    data_set.ContentSequence = Sequence([text, measure])
    data_set["ContentSequence"].is_undefined_length = True
    for item in data_set.ContentSequence:
        item.is_undefined_length_sequence_item = True
    return data_set


def key_object_selection() -> Dataset:
    """A key object selection document: "of interest", one CT slice."""
    data_set = _report(u.KeyObjectSelectionDocumentStorage, "KO", "113000", "Of Interest")
    data_set.ContentSequence = Sequence([_item("TEXT", "113012", "Key Object Description", TextValue="Pää")])
    image = _with(
        ReferencedSOPClassUID=u.CTImageStorage, ReferencedSOPInstanceUID="2.25.271828182845904523536"
    )
    series = _with(SeriesInstanceUID="2.25.314159265358979323846")
    series.ReferencedSOPSequence = Sequence([image])
    study = _with(StudyInstanceUID="2.25.141421356237309504880")
    study.ReferencedSeriesSequence = Sequence([series])
    data_set.CurrentRequestedProcedureEvidenceSequence = Sequence([study])
    return data_set


def presentation_state() -> Dataset:
    """A grayscale softcopy presentation state: window and displayed area."""
    data_set = patient(u.GrayscaleSoftcopyPresentationStateStorage, "PR")
    data_set.ContentLabel, data_set.ContentCreatorName = "LUUIKKUNA", "Öljymäki^Åsa"
    data_set.PresentationCreationDate, data_set.PresentationCreationTime = "20260923", "102000"
    data_set.SoftcopyVOILUTSequence = Sequence([_with(WindowCenter="400", WindowWidth="1800")])
    area = _with(
        DisplayedAreaTopLeftHandCorner=[1, 1], DisplayedAreaBottomRightHandCorner=[256, 256],
        PresentationSizeMode="SCALE TO FIT",
    )  # fmt: skip
    data_set.DisplayedAreaSelectionSequence = Sequence([area])
    data_set.PresentationLUTShape = "IDENTITY"
    return data_set


def rt_plan() -> Dataset:
    """A radiotherapy plan with one beam and two control points."""
    data_set = patient(u.RTPlanStorage, "RTPLAN")
    data_set.RTPlanLabel, data_set.RTPlanGeometry = "DEMO", "PATIENT"
    beam = _with(BeamNumber=1, BeamName="etukenttä", BeamType="STATIC", RadiationType="PHOTON")
    points = [_with(ControlPointIndex=n, CumulativeMetersetWeight=str(n)) for n in range(2)]
    beam.NumberOfControlPoints = len(points)
    beam.ControlPointSequence = Sequence(points)
    data_set.BeamSequence = Sequence([beam])
    return data_set


def secondary_capture() -> Dataset:
    """A secondary capture with private attributes and data set trailing padding."""
    data_set = _image(patient(u.SecondaryCaptureImageStorage, "OT"), side=64, bits=16)
    data_set.ConversionType = "WSD"
    block = data_set.private_block(0x0099, "KUVAVARANTO DEMO", create=True)
    block.add_new(0x01, "LO", "yksityinen, säilyy sellaisenaan")
    data_set.PixelData = phantom(64)
    data_set["PixelData"].VR = "OW"
    data_set.DataSetTrailingPadding = bytes(64)
    return data_set


def _report(sop_class: str, modality: str, code: str, meaning: str) -> Dataset:
    data_set = patient(sop_class, modality)
    data_set.ValueType, data_set.ContinuityOfContent = "CONTAINER", "SEPARATE"
    data_set.ConceptNameCodeSequence = Sequence([_code(code, "DCM", meaning)])
    data_set.CompletionFlag, data_set.VerificationFlag = "COMPLETE", "UNVERIFIED"
    return data_set


def _item(value_type: str, code: str, meaning: str, *, scheme: str = "DCM", TextValue: str = "") -> Dataset:  # noqa: N803
    item = _with(RelationshipType="CONTAINS", ValueType=value_type)
    item.ConceptNameCodeSequence = Sequence([_code(code, scheme, meaning)])
    if TextValue:
        item.TextValue = TextValue
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _with(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _with(**attributes: object) -> Dataset:
    data_set = Dataset()
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    return data_set


KINDS: dict[str, Callable[[], Dataset]] = {
    "ultrasound-60-frames": ultrasound_multi_frame,
    "enhanced-ct": enhanced_ct,
    "ecg-12-lead": ecg,
    "encapsulated-pdf": pdf,
    "comprehensive-sr": comprehensive_sr,
    "key-object-selection": key_object_selection,
    "presentation-state": presentation_state,
    "rt-plan": rt_plan,
    "secondary-capture-private": secondary_capture,
}
"""What each is called, and how it is made."""
