"""Writes household.h5: an LSTM of Keras that has learned the meter of a household.

    pip install keras jax h5py
    KERAS_BACKEND=jax python make.py

With GRU behind it, household-gru.h5 and its outputs, of the tests: 8 units, hardly trained.
"""
import json
import sys

import keras
import numpy as np

STEPS, HORIZON, HOURS = 48, 24, 24 * 7 * 12
is_gru = sys.argv[1:] == ["GRU"]

keras.utils.set_random_seed(1)
random = np.random.default_rng(1)
hour = np.arange(HOURS)
morning, evening = [np.exp(-(((hour % 24 - peak) / 2) ** 2)) for peak in (7, 19)]
weekend = hour // 24 % 7 >= 5
series = 2 + 3 * morning * ~weekend + 5 * evening + random.normal(0, 0.3, HOURS)
series = (series - series.min()) / (series.max() - series.min())

starts = np.arange(HOURS - STEPS - HORIZON)
x = series[starts[:, None] + np.arange(STEPS)][..., None]
y = series[starts[:, None] + STEPS + np.arange(HORIZON)]
model = keras.Sequential(
    [
        keras.Input((STEPS, 1)),
        keras.layers.GRU(8) if is_gru else keras.layers.LSTM(24),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(HORIZON),
    ],
    name="household",
)
model.compile(keras.optimizers.Adam(0.005), "mae")
model.fit(x, y, batch_size=32, epochs=1 if is_gru else 30, verbose=2)
model.save("household-gru.h5" if is_gru else "household.h5", include_optimizer=False)
if is_gru:
    said = lambda array: {"shape": array.shape, "data": array.ravel().tolist()}
    with open("household-gru.json", "w") as file:
        inputs = x[:2].astype("float32")
        json.dump({"inputs": [said(inputs)], "outputs": [said(model.predict(inputs))]}, file)
