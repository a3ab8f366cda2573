"""Writes household.h5: an LSTM of Keras that has learned the meter of a household.

    pip install keras jax h5py
    KERAS_BACKEND=jax python make.py
"""
import keras
import numpy as np

STEPS, HORIZON, HOURS = 48, 24, 24 * 7 * 12

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
        keras.layers.LSTM(24),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(HORIZON),
    ],
    name="household",
)
model.compile(keras.optimizers.Adam(0.005), "mae")
model.fit(x, y, batch_size=32, epochs=30, verbose=2)
model.save("household.h5", include_optimizer=False)
