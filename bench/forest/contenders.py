"""The engines that are timed, each behind the same two calls: load a model, predict a batch.

Each takes its fastest way in: in-place prediction, the single-row call of the C API, compiled code.
An engine that is not installed, or cannot take the model, says so with Unavailable.
"""
import ctypes
import json
import subprocess
import time

import numpy


class Unavailable(Exception):
    pass


class Ours:
    """Times itself in one process, without Python: only `measure` is called."""

    name = "tidemark"

    def __init__(self, program, model, rows_file, backend="cpu"):
        self.command = [str(program), "bench", "forest", "--model", str(model), "--rows",
                        str(rows_file), "--json", "--backend", backend]

    def measure(self, batches, threads, seconds):
        done = subprocess.run(
            [*self.command, "--threads", str(threads), "--seconds", str(seconds), "--batches",
             ",".join(map(str, batches))], check=True, capture_output=True, text=True)
        found = json.loads(done.stdout)
        self.kernel = f"{found['kernel']} {found['isa']}"
        self.load = {key: found[key] for key in ("bytes", "load_ms", "first_load_ms", "import_ms",
                                                 "compile_ms")}
        return {point["batch"]: point["rows_per_s"] for point in found["points"]}


    def reasons_ms(self, rows_file, baseline_file, work):
        """Milliseconds a row for exact values against one reference, on one thread."""
        report = work / "reasons.json"
        subprocess.run(
            [self.command[0], "score", "--model", self.command[4], "--rows", rows_file, "--out",
             work / "scores.npy", "--baseline", baseline_file, "--contributions",
             work / "contributions.npy", "--threads", "1", "--backend", "cpu", "--repeat", "3",
             "--json", report], check=True)
        return 1e3 / json.loads(report.read_text())["explained_rows_per_s"]


class Peer:
    """Measured here: calls for at least `seconds`, three at least, rows taken in turn."""

    def measure(self, rows, batches, threads, seconds, patience=8.0):
        self.set_threads(threads)
        found, slowest = {}, 0.0
        for batch in batches:
            if slowest and batch / slowest > patience:
                continue  # one call alone would take longer
            calls, spent, at = 0, 0.0, 0
            self.predict(rows[:batch])
            while spent < seconds or calls < 3:
                part = rows[at:at + batch]
                at = at + batch if at + 2 * batch <= len(rows) else 0
                begin = time.perf_counter()
                self.predict(part)
                spent += time.perf_counter() - begin
                calls += 1
                if spent > patience:
                    break
            found[batch] = slowest = batch * calls / spent
        return found

    def set_threads(self, threads):
        self.threads = threads


class LightGbm(Peer):
    name = "LightGBM"

    def __init__(self, model):
        import lightgbm
        from lightgbm.basic import _LIB

        self.booster = lightgbm.Booster(model_file=str(model))
        self.library = _LIB
        self.features = self.booster.num_feature()
        self.fast = None

    def set_threads(self, threads):
        self.threads = threads
        self.fast = ctypes.c_void_p()
        failed = self.library.LGBM_BoosterPredictForMatSingleRowFastInit(
            self.booster._handle, ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(-1),
            ctypes.c_int(0), ctypes.c_int32(self.features),
            ctypes.c_char_p(f"num_threads={threads}".encode()), ctypes.byref(self.fast))
        if failed:
            raise Unavailable("its single-row call cannot be prepared")
        self.out = numpy.empty(1)
        self.out_at = self.out.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
        self.count = ctypes.c_int64()

    def predict(self, rows):
        if len(rows) == 1:
            self.library.LGBM_BoosterPredictForMatSingleRowFast(
                self.fast, ctypes.c_void_p(rows.ctypes.data), ctypes.byref(self.count),
                self.out_at)
            return self.out
        return self.booster.predict(rows, num_threads=self.threads)

    def explain(self, rows):
        return self.booster.predict(rows, pred_contrib=True, num_threads=1)


class XgBoost(Peer):
    name = "XGBoost"

    def __init__(self, model):
        import xgboost

        self.booster = xgboost.Booster(model_file=str(model))

    def set_threads(self, threads):
        self.booster.set_param({"nthread": threads})

    def predict(self, rows):
        return self.booster.inplace_predict(rows)

    def explain(self, rows):
        import xgboost

        return self.booster.predict(xgboost.DMatrix(rows), pred_contribs=True)


def treelite_model(model):
    import treelite

    if model.suffix == ".txt":
        return treelite.frontend.load_lightgbm_model(str(model))
    return treelite.frontend.load_xgboost_model(str(model), format_choice="use_suffix")


class Treelite(Peer):
    name = "Treelite (gtil)"

    def __init__(self, model):
        import treelite

        self.gtil, self.model = treelite.gtil, treelite_model(model)

    def predict(self, rows):
        return self.gtil.predict(self.model, rows, nthread=self.threads).ravel()


class Tl2cgen(Peer):
    name = "TL2cgen (compiled)"

    def __init__(self, model, work, threads):
        import tl2cgen

        self.tl2cgen, self.work = tl2cgen, work
        self.library = work / f"{model.stem}-tl2cgen.so"
        if not self.library.exists():
            tl2cgen.export_lib(treelite_model(model), toolchain="gcc", libpath=str(self.library),
                               params={"parallel_comp": 32}, nthread=threads)

    def set_threads(self, threads):
        self.predictor = self.tl2cgen.Predictor(str(self.library), nthread=threads)

    def predict(self, rows):
        return self.predictor.predict(self.tl2cgen.DMatrix(rows)).ravel()


class Lleaves(Peer):
    name = "lleaves"

    def __init__(self, model, work):
        import lleaves

        if model.suffix != ".txt":
            raise Unavailable("reads LightGBM models only")
        self.model = lleaves.Model(model_file=str(model))
        self.model.compile(cache=str(work / f"{model.stem}-lleaves.o"))

    def predict(self, rows):
        return self.model.predict(rows, n_jobs=self.threads)


class OnnxRuntime(Peer):
    name = "ONNX Runtime"

    def __init__(self, model, features):
        import onnxmltools
        from onnxmltools.convert.common.data_types import FloatTensorType

        shape = [("rows", FloatTensorType([None, features]))]
        if model.suffix == ".txt":
            import lightgbm

            booster = lightgbm.Booster(model_file=str(model))
            graph = onnxmltools.convert_lightgbm(booster, initial_types=shape)
        else:
            import xgboost

            booster = xgboost.Booster(model_file=str(model))
            booster.feature_names = [f"f{i}" for i in range(features)]
            graph = onnxmltools.convert_xgboost(booster, initial_types=shape)
        self.graph = graph.SerializeToString()

    def set_threads(self, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            self.graph, options, providers=["CPUExecutionProvider"])

    def predict(self, rows):
        return self.session.run(None, {"rows": rows})[0].ravel()
