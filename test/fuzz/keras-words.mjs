/** Texts that mean something in a configuration of Keras. */
export const WORDS = `
  class_name config name layers units activation recurrent_activation use_bias return_sequences
  return_state go_backwards reset_after layer merge_mode batch_input_shape batch_shape
  inbound_nodes input_layers cell output_layers keras_history __keras_tensor__ args kwargs axis
  padding kernel_size strides filters pool_size target_shape n rate epsilon num_heads key_dim
  mask_zero input_dim output_dim alpha max_value cells LSTM GRU SimpleRNN RNN LSTMCell
  StackedRNNCells Bidirectional Dense TimeDistributed Embedding Masking Conv1D Conv1DTranspose
  SeparableConv1D MaxPooling1D GlobalAveragePooling1D UpSampling1D ZeroPadding1D Flatten Add
  Reshape RepeatVector Permute BatchNormalization LayerNormalization PReLU MultiHeadAttention
  Attention AdditiveAttention Concatenate Maximum ReLU Average Dropout Activation Softmax
  Normalization Rescaling GetItem NotEqual Any Sequential Functional Model InputLayer Lambda
  Bogus tanh relu hard_sigmoid softmax relu6 linear selu causal same valid concat sum mul ave
  dot kernel bias gamma float32 dtype
`
  .trim()
  .split(/\s+/);
